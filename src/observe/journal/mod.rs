//! The last exchanges, redacted: what came, what went on, what the app said, what the IdP was told.
