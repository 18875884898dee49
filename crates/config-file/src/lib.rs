//! Reads configuration files: regular, of bounded size, without waiting.
//!
#![doc = include_str!("../README.md")]

mod content;
mod text;
#[cfg(feature = "yaml")]
pub mod yaml;

pub use content::{Content, LARGEST, read};
pub use text::text;
