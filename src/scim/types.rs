//! Attribute data types, RFC 7643 section 2.3.

use std::str::FromStr;

/// The data type of an attribute (RFC 7643 2.3, spelled as in `/Schemas` documents, section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// 2.3.1
    String,
    /// 2.3.2
    Boolean,
    /// 2.3.3
    Decimal,
    /// 2.3.4
    Integer,
    /// 2.3.5
    DateTime,
    /// 2.3.6
    Binary,
    /// 2.3.7
    Reference,
    /// 2.3.8
    Complex,
}

impl Type {
    /// Every type with its name in schema documents and configuration.
    pub const ALL: [(Self, &'static str); 8] = [
        (Self::String, "string"),
        (Self::Boolean, "boolean"),
        (Self::Decimal, "decimal"),
        (Self::Integer, "integer"),
        (Self::DateTime, "dateTime"),
        (Self::Binary, "binary"),
        (Self::Reference, "reference"),
        (Self::Complex, "complex"),
    ];

    /// Whether a value of this type is a JSON string.
    pub fn is_text(self) -> bool {
        matches!(self, Self::String | Self::DateTime | Self::Binary | Self::Reference)
    }
}

impl FromStr for Type {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(t, _)| t).ok_or(())
    }
}
