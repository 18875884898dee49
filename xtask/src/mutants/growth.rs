//! The checks before a file system grows, and of what a volume was made from.

use super::table::{MOUNT_DEVICE, Mutant, mutant};

const GROWTH: &str = "crates/oci-block/src/growth.rs";

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "format: the volume was not made from something",
        MOUNT_DEVICE,
        ["        (self.refuse_restored)()?;\n", "        let _ = self.refuse_restored;\n"],
        ["driver", "origins"],
    ),
    mutant(
        "growth: unasked only with its disk",
        MOUNT_DEVICE,
        ["record.grown_from.or(record.growing).is_some()", "true"],
        ["driver", "growth_unasked"],
    ),
    mutant(
        "growth: only into zeros",
        GROWTH,
        [
            "begun.map_or(size, |end| end.min(disk.size()))",
            "begun.map_or(disk.size(), |_| disk.size())",
        ],
        ["driver", "growth_unasked"],
    ),
    mutant(
        "growth: noted before it begins",
        GROWTH,
        ["VolumeRecord { growing: Some(disk.size()), ..before.clone() }", "before.clone()"],
        ["driver", "growth_unasked"],
    ),
];
