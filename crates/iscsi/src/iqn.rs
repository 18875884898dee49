//! The name of a target.

use std::{fmt, str::FromStr};

use crate::ParseError;

/// The name of a target: an iSCSI qualified name, or one of its relatives `eui.` and `naa.` (RFC 7143, 4.2.7).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Iqn(String);

impl FromStr for Iqn {
    type Err = ParseError;

    /// # Errors
    /// If it is not of a kind that iSCSI knows, longer than 223 bytes, or holds anything that could end up as
    /// another argument, another file or another line.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let known = ["iqn.", "eui.", "naa."].iter().any(|kind| {
            text.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
        });
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '/' || c == '\\';
        if known && text.len() > "iqn.".len() && text.len() <= IQN_MAX && !text.contains(odd) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError::Iqn(text.to_owned()))
        }
    }
}

impl Iqn {
    /// Whether it names no single volume: all boot volumes have one name, also those that are attached as data. Only
    /// the portal and the disk's own identifier tell them apart.
    pub(crate) fn is_of_all_boot_volumes(&self) -> bool {
        self.0 == BOOT
    }
}

impl AsRef<str> for Iqn {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Iqn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As every instance of OCI is told it by its firmware (`netroot=iscsi:169.254.0.2:::1:…`).
const BOOT: &str = "iqn.2015-02.oracle.boot:uefi";

/// The longest name that iSCSI allows, in bytes.
const IQN_MAX: usize = 223;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, valid: bool) {
        assert_eq!(text.parse::<Iqn>().is_ok(), valid, "{text:?}");
    }

    #[test]
    fn names_are_of_a_known_kind_and_harmless() {
        check("iqn.2015-12.com.oracleiaas:1f2e", true);
        check("iqn.2015-02.oracle.boot:uefi", true);
        check("IQN.2015-12.COM.X", true);
        check("eui.02004567A425678D", true);
        check("naa.52004567BA64678D", true);
        check(&format!("iqn.{}", "x".repeat(219)), true);
        check(&format!("iqn.{}", "x".repeat(220)), false);
        for text in [
            "",
            "iqn.",
            "iqn",
            "x",
            "-iqn.x:y",
            "--logoutall=all",
            "iqn.x y",
            "iqn.x\ty",
            "iqn.x\ny",
            "iqn.x\0y",
            "iqn.x\u{7f}y",
            "iqn.x/y",
            "iqn.x/../y",
            "iqn.x\\y",
            " iqn.x",
            "iqn.x ",
            "iqn.x\u{a0}y",
            "iqn.x\u{2028}y",
            "äqn.x",
        ] {
            check(text, false);
        }
    }
}
