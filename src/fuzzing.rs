//! Doors for the fuzz targets in `fuzz/` to parsers that nothing else outside has a use for. Compiled with
//! `--cfg fuzzing` only, and no part of the interface.

#![doc(hidden)]

pub use crate::{
    cli::fuzzing::{Injector, pasted},
    feed::fuzzing::link,
    observe::{
        admin::fuzzing::{asked, is_loopback},
        fuzzing::recorded,
    },
    proxy::fuzzing::{decoded, framing, has_dot_segment, proxy_header, way},
};
