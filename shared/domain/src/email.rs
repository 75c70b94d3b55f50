//! Addresses to write to.

use std::fmt;
use std::str::FromStr;

use crate::limits::{EMAIL_CHARS_MAX, EMAIL_NAME_CHARS_MAX};

/// Characters between two dots of a domain (RFC 1035, section 2.3.4).
const DOMAIN_LABEL_CHARS_MAX: usize = 63;

/// An e-mail address that can stand in a header, and in a list of them, as it is.
///
/// Narrower than RFC 5322, which allows quotes, comments and line breaks: none of those, and
/// nothing that begins another address or another header, or is read as another text, is ever in
/// one; and its domain is a name on the Internet. Whether somebody reads it, only a letter can tell.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(Box<str>);

/// Why a text is not an address that we write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmailAddress {
    /// Too long, in all or before the `@`.
    #[error(
        "an address has at most {EMAIL_CHARS_MAX} characters, {EMAIL_NAME_CHARS_MAX} before its @"
    )]
    Length,
    /// Not `somebody@somewhere`, with one `@`.
    #[error("an address has one @, with something on both sides")]
    Parts,
    /// A character that could mean something else.
    #[error(
        "an address has only visible ASCII characters, no =? and none of , ; : < > ( ) [ ] \\ \""
    )]
    Character,
    /// A domain that is no name on the Internet.
    #[error(
        "an address ends in words with dots between them, of 1 to 63 letters, digits and hyphens"
    )]
    Domain,
}

fn check(text: &str) -> Result<(), InvalidEmailAddress> {
    let legal = |byte: u8| byte.is_ascii_graphic() && !b",;:<>()[]\\\"".contains(&byte);
    // A header decodes what is between `=?` and `?=` (RFC 2047).
    if !text.bytes().all(legal) || text.contains("=?") {
        return Err(InvalidEmailAddress::Character);
    }
    match text.split_once('@') {
        Some((name, domain)) if !name.is_empty() && !domain.is_empty() && !domain.contains('@') => {
            let fits = text.len() <= EMAIL_CHARS_MAX && name.len() <= EMAIL_NAME_CHARS_MAX;
            if !fits {
                return Err(InvalidEmailAddress::Length);
            }
            let is_name = domain.contains('.') && domain.split('.').all(is_label);
            if is_name { Ok(()) } else { Err(InvalidEmailAddress::Domain) }
        }
        Some(_) | None => Err(InvalidEmailAddress::Parts),
    }
}

/// Whether a domain may have this between its dots (RFC 1123, section 2.1).
fn is_label(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=DOMAIN_LABEL_CHARS_MAX).contains(&text.len())
        && text.bytes().all(legal)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl EmailAddress {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidEmailAddress;

    fn try_from(text: String) -> Result<Self, InvalidEmailAddress> {
        check(&text)?;
        Ok(Self(text.into_boxed_str()))
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmailAddress;

    fn from_str(text: &str) -> Result<Self, InvalidEmailAddress> {
        check(text)?;
        Ok(Self(text.into()))
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0.into_string()
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says nothing: what is printed for debugging ends in logs, where nobody's address belongs.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(), InvalidEmailAddress>) {
        assert_eq!(text.parse::<EmailAddress>().map(drop), expected, "{text:?}");
        assert_eq!(EmailAddress::try_from(text.to_owned()).map(drop), expected, "{text:?}");
    }

    #[test]
    fn an_address_is_somebody_somewhere() {
        for text in ["a@b.c", "ann@example.com", "ann+tickets@example.co.uk", "o'hara@example.com"]
        {
            check(text, Ok(()));
        }
        for text in ["", "@", "ann", "ann@", "@example.com", "ann@example@com", "ann@@example.com"]
        {
            check(text, Err(InvalidEmailAddress::Parts));
        }
    }

    #[test]
    fn lengths_are_those_of_the_mail_protocol() {
        check(&format!("{}@b.c", "a".repeat(64)), Ok(()));
        check(&format!("{}@b.c", "a".repeat(65)), Err(InvalidEmailAddress::Length));
        let labels = format!("{}.", "b".repeat(63)).repeat(3);
        let long = |last| format!("a@{labels}{}", "c".repeat(last));
        check(&long(60), Ok(()));
        check(&long(61), Err(InvalidEmailAddress::Length));
        check(&format!("a@{}.c", "b".repeat(64)), Err(InvalidEmailAddress::Domain));
    }

    #[test]
    fn a_domain_is_a_name_on_the_internet() {
        for domain in ["x-1.example", "EXAMPLE.com", "xn--exmple-cua.com", "4.3.com"] {
            check(&format!("ann@{domain}"), Ok(()));
        }
        for domain in [
            "localhost",
            ".",
            ".com",
            "example.",
            "example..com",
            "-a.com",
            "a-.com",
            "example.-",
            "a_b.com",
            "a=b.com",
            "example.com/",
            "exam!ple.com",
        ] {
            check(&format!("ann@{domain}"), Err(InvalidEmailAddress::Domain));
        }
    }

    /// Goal: an address is one recipient in one header, whatever it says. Method: what would end
    /// the header, begin another address, name somebody else, or hide something.
    #[test]
    fn an_address_cannot_break_out_of_its_header() {
        for text in [
            "ann@example.com\r\nBcc: all@example.com",
            "ann@example.com\nSubject: hello",
            "ann@example.com\r",
            "ann@example.com\0",
            "ann\u{7f}@example.com",
            "ann@example.com, bob@example.com",
            "ann@example.com,bob",
            "ann@example.com;bob",
            "Ann <ann@example.com>",
            "ann@example.com>",
            "ann@example.com (Ann)",
            "\"ann\"@example.com",
            "ann\\@example.com",
            "friends:ann@example.com",
            "ann@[127.0.0.1]",
            "ann @example.com",
            " ann@example.com",
            "ann@example.com\t",
            "änn@example.com",
            "ann@exämple.com",
            "ann@example.com\u{2028}",
            "=?utf-8?q?ann?=@example.com",
            "ann=?@example.com",
            "ann@=?utf-8?q?example.com?=",
        ] {
            check(text, Err(InvalidEmailAddress::Character));
        }
    }

    #[test]
    fn an_address_is_not_printed_for_debugging() {
        let address: EmailAddress = "ann@example.com".parse().unwrap();
        assert_eq!(format!("{:?}", Some(&address)), "Some(EmailAddress(..))");
        assert_eq!(
            (address.to_string().as_str(), address.as_str()),
            ("ann@example.com", "ann@example.com")
        );
        assert_eq!(String::from(address), "ann@example.com");
    }
}
