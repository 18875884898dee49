//! Boot volumes, which can be attached to further instances as if they were block volumes.

use crate::{Call, Mismatch, Ocid, Operation, Volume};

/// Looks at one boot volume. What it has in common with a block volume is all that is read.
#[derive(Clone, Copy, Debug)]
pub struct GetBootVolume<'a> {
    /// The boot volume.
    pub id: &'a Ocid,
}

impl Operation for GetBootVolume<'_> {
    type Output = Volume;

    fn call(&self) -> Call {
        Call::get(["bootVolumes", self.id.as_str()])
    }

    fn subject(&self) -> String {
        format!("boot volume {}", self.id)
    }

    fn check(&self, answer: &Self::Output) -> Result<(), Mismatch> {
        Mismatch::unless_same("id", self.id, &answer.id)
    }
}
