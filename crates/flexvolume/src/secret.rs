//! One value of a Kubernetes Secret, which cannot be printed and leaves memory with its owner.

use std::{ffi::OsString, fmt};

use zeroize::Zeroizing;

/// The bytes of one secret option.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret itself. Keep it out of logs, messages and argument lists.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whether an argument list may carry secrets, judged before and without parsing it.
///
/// It errs towards yes: the broken object of a call that cannot be parsed counts too.
pub(crate) fn may_be_in(args: &[OsString]) -> bool {
    let marks = |arg: &OsString| {
        arg.as_encoded_bytes().windows(MARK.len()).any(|it| it.eq_ignore_ascii_case(MARK))
    };
    args.iter().any(marks)
}

const MARK: &[u8] = b"secret";
