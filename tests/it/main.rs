//! Tests through the door: what the client saw, what the app saw, what `/metrics` says; and laws.
#![allow(clippy::unwrap_used)]

mod admin;
mod admission;
mod audit;
mod bodies;
mod browser;
mod callers;
mod cli;
mod corpus;
mod door;
mod feeds;
mod harness;
mod hold;
mod hostile;
mod inject;
mod laws;
mod ledger;
mod limits;
mod monitoring;
mod outage;
mod outside;
mod pages;
mod pod;
mod prometheus;
mod proxy_protocol;
mod redis;
mod reload;
mod requests;
#[path = "../rfc/mod.rs"]
mod rfc;
mod risk;
mod secrets;
mod tls;
mod trace;
