//! What a target wants to hear before it lets us in (CHAP, RFC 7143, 12.1).

use std::fmt;

use zeroize::Zeroizing;

/// A user and a secret that a node record can hold. The secret is never printed, and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Chap {
    username: String,
    secret: Zeroizing<String>,
}

impl Chap {
    /// # Errors
    /// One of them is empty, too long for open-iscsi, which would cut it, or would not stay on its line of the record.
    pub fn new(username: &str, secret: &str) -> Result<Self, ChapError> {
        check("user name", username)?;
        check("secret", secret)?;
        Ok(Self { username: username.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
    }

    /// The settings of a node record; an empty one is not there. What iscsid.conf says of mutual authentication is
    /// none of the volume's: its target would have to prove that it knows another secret.
    pub(crate) fn settings(&self) -> [(&'static str, &str); 5] {
        [
            ("node.session.auth.username_in", ""),
            ("node.session.auth.password_in", ""),
            ("node.session.auth.authmethod", "CHAP"),
            ("node.session.auth.username", &self.username),
            ("node.session.auth.password", &self.secret),
        ]
    }
}

impl fmt::Debug for Chap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chap({}, ***)", self.username)
    }
}

fn check(what: &'static str, text: &str) -> Result<(), ChapError> {
    let why = if text.is_empty() {
        "is empty"
    } else if text.len() > LENGTH_MAX {
        "is longer than 255 bytes, which open-iscsi cuts"
    } else if text.contains(char::is_control) || text.trim() != text {
        "has a control character, or a blank at an end, which a node record cannot hold"
    } else {
        return Ok(());
    };
    Err(ChapError { what, why })
}

/// Credentials that no node record can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the CHAP {what} {why}")]
pub struct ChapError {
    what: &'static str,
    why: &'static str,
}

/// `AUTH_STR_MAX_LEN` of open-iscsi, less the end of the string; measured with 2.1.8.
const LENGTH_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(username: &str, secret: &str, error: &str) {
        assert_eq!(Chap::new(username, secret).unwrap_err().to_string(), error);
    }

    #[test]
    fn what_a_record_cannot_hold_is_refused() {
        check("", "s", "the CHAP user name is empty");
        check("u", "", "the CHAP secret is empty");
        check(
            "u",
            &"x".repeat(256),
            "the CHAP secret is longer than 255 bytes, which open-iscsi cuts",
        );
        for secret in ["a\nnode.startup = automatic", "a\0", " a", "a ", "\u{85}"] {
            check(
                "u",
                secret,
                "the CHAP secret has a control character, or a blank at an end, which a node record cannot hold",
            );
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let chap = Chap::new("volume", "MARKER").unwrap();
        assert_eq!(format!("{chap:?}"), "Chap(volume, ***)");
    }
}
