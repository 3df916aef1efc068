//! STUB
use super::Type;
/// S
#[derive(Debug, Clone)]
pub struct Registry;
/// E
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SchemaError(pub String);
impl Registry {
    /// RFC
    pub fn rfc() -> Self {
        Self
    }
    /// hint
    pub fn declare(&mut self, _path: &str, _kind: Type, _multi_valued: bool) -> Result<(), SchemaError> {
        Ok(())
    }
    /// a /Schemas document; how many schemas it held
    pub fn load(&mut self, _document: &str) -> Result<usize, SchemaError> {
        Ok(0)
    }
}
