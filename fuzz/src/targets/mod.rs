//! Every target, in the order in which they run.

mod admin;
mod answer;
mod config;
mod content_coding;
mod explain;
mod facts;
mod feed;
mod feed_page;
mod filter;
mod forwarded;
mod framing;
mod growth;
mod head;
mod inject;
mod journal;
mod json;
mod members;
mod patch;
mod path;
mod proxy_header;
mod resource;
mod schemas;
mod snapshot;
mod target;
mod timeline;

use crate::{cost::Cost, target::Target};

pub const ALL: &[&Target] = &[
    &json::TARGET,
    &patch::TARGET,
    &resource::TARGET,
    &members::TARGET,
    &answer::TARGET,
    &filter::TARGET,
    &path::TARGET,
    &target::TARGET,
    &head::TARGET,
    &forwarded::TARGET,
    &proxy_header::TARGET,
    &framing::TARGET,
    &content_coding::TARGET,
    &facts::TARGET,
    &feed::TARGET,
    &feed_page::TARGET,
    &schemas::TARGET,
    &config::TARGET,
    &inject::TARGET,
    &explain::TARGET,
    &journal::TARGET,
    &timeline::TARGET,
    &snapshot::TARGET,
    &admin::TARGET,
    &growth::TARGET,
];

/// For a parser that goes over its text a few times and makes a few copies of it.
const PARSER: Cost = Cost { steps: 50_000, steps_per_byte: 2_000, room: 200_000, room_per_byte: 4_000 };

/// For the laws, which run the engine a few times and read all of it again. Each quirk may look at each part.
const ENGINE: Cost = Cost { steps: 3_000_000, steps_per_byte: 20_000, room: 20_000_000, room_per_byte: 5_000 };
