//! The cloud in memory: Core API, metadata service and disks on loopback.

mod clock;
mod config;
mod core;
mod credentials;
mod disk;
mod error;
mod faults;
mod ids;
mod lifecycle;
mod log;
mod metadata;
mod node;
mod pages;
mod process;
mod query;
mod reply;
mod retry_tokens;
mod routes;
mod running;
mod server;
mod settle;
mod sim;
mod state;
mod tls;
mod verify;

pub use config::{Config, Region};
pub use credentials::ApiKeyUser;
pub use error::Error;
pub use faults::{Calls, Effect, Fault};
pub use lifecycle::Delay;
pub use log::{Entry, Event, Phase};
pub use node::Node;
pub use running::Running;
pub use sim::{Answer, Delivery, Sim};
pub use state::{Attachment, Network, NewInstance, NewVolume};
