//! `[load.http]`: what targets that begin with `http://` are asked, and which answers are right.

use core::str::FromStr;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{self, Deserializer};

/// Requests and answers of HTTP/1.1.
#[derive(Deserialize, Clone, PartialEq, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// The method. Default `"GET"`, with a body `"POST"`.
    pub method: Option<String>,
    /// Further header fields, and `Host` if it is not to be that of the URL: `["Accept: text/html"]`. Default: none.
    pub headers: Vec<Header>,
    /// A file with the content of the request. Default: none.
    pub body: Option<PathBuf>,
    /// The status that is right, 200 to 999, or the class of it, such as `"2xx"`; with another the answer is wrong. Default:
    /// whatever it is, its class is counted.
    pub expect_status: Option<ExpectStatus>,
    /// A file with the content that a right answer has. Default: any.
    pub expect_body: Option<PathBuf>,
}

/// `Name: value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl FromStr for Header {
    type Err = String;
    fn from_str(text: &str) -> Result<Header, String> {
        let (name, value) = text.split_once(':').ok_or_else(|| {
            format!("`{text}` is not a header field: write it as \"Name: value\"")
        })?;
        Ok(Header {
            name: name.to_owned(),
            value: value.trim().to_owned(),
        })
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Which status is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExpectStatus {
    /// One.
    Code(u16),
    /// Those of a class, 2 to 5.
    Class(u8),
}

impl FromStr for ExpectStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<ExpectStatus, String> {
        if let Some(class @ ("2" | "3" | "4" | "5")) = text.strip_suffix("xx") {
            return Ok(ExpectStatus::Class(class.as_bytes()[0] - b'0'));
        }
        let code = text.parse().ok().filter(|code| (200..=999).contains(code));
        code.map(ExpectStatus::Code).ok_or_else(|| {
            format!("`{text}` is not a status such as 200, nor a class from 2xx to 5xx")
        })
    }
}

impl<'de> Deserialize<'de> for ExpectStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ExpectStatus, D::Error> {
        struct Reader;
        impl de::Visitor<'_> for Reader {
            type Value = ExpectStatus;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str("a status such as 200, or a class such as \"2xx\"")
            }
            fn visit_i64<E: de::Error>(self, code: i64) -> Result<ExpectStatus, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ExpectStatus, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
