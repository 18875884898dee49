//! The cloud in memory: Core API, metadata service and disks on loopback.
//!
//! It answers as Oracle's documentation says: life cycles with delays, conflicts, pages, request ids, ETags, retry tokens. It
//! verifies every signature, the client's clock and the body's digest itself. It shares no code with the crates it tests, so
//! that a mistake cannot agree with itself, and it is strict where the service is lenient: query parameters and body fields
//! that are not documented are refused.
//!
//! ```
//! use oci_sim::{Config, Delay, Effect, Fault, NewInstance, NewVolume, Sim};
//!
//! let config = Config { attach_delay: Delay::Polls(2), ..Config::default() };
//! let cloud = Sim::start(config)?;
//! let node = cloud.add_instance(NewInstance { display_name: "node-1".into(), ..Default::default() });
//! let volume = cloud.add_volume(NewVolume { display_name: "data".into(), size_gb: 50, ..Default::default() });
//! cloud.fail(Fault::new("AttachVolume", 1, Effect::DropAfter));
//!
//! println!("attach {volume} to {node} at {}", cloud.endpoint());
//! println!("trust {}, sign as {}", cloud.ca_path().display(), cloud.credentials().key_id());
//! println!("the node's metadata is at {}", cloud.metadata_url());
//!
//! // … here a client runs …
//! assert_eq!(cloud.attachments().len(), 0);
//! assert!(cloud.requests().iter().all(|request| request.is_signed));
//! assert_eq!(cloud.violations(), [""; 0]);
//! # Ok::<(), oci_sim::Error>(())
//! ```
//!
//! The program `oci-sim` is the same on two ports; `--help` tells how to use it. Its `--script` takes a file such as
//! `testdata/script.json`: instances, volumes, and faults in the form of [`Fault`].
//!
//! With a [`Config::disk_folder`], paravirtualized attachments are real: a loop device on the volume's file appears in the
//! device folder of the instance when the attachment becomes ATTACHED, and goes when it becomes DETACHED. A detach while the
//! disk is in use is noted in [`Sim::violations`]. A [`Node`] plays the machine that has the disk. A
//! [`Config::storage`], which exports and plugs volumes, makes both kinds of attachments real on a machine.

mod answer;
mod certificate;
mod clock;
mod config;
mod control;
mod core;
mod credentials;
mod disk;
mod error;
mod faults;
mod identity_domain;
mod ids;
mod lifecycle;
mod log;
mod metadata;
mod new_resources;
mod node;
mod pages;
mod principals;
mod process;
mod query;
mod reply;
mod resources;
mod retry_tokens;
mod routes;
mod running;
mod script;
mod server;
mod settle;
mod sim;
mod state;
mod storage;
mod throttle;
mod tls;
mod token_service;
mod verify;

pub use answer::{Answer, Delivery};
pub use config::{Config, Region};
pub use credentials::ApiKeyUser;
pub use error::Error;
pub use faults::{Calls, Effect, Fault};
pub use lifecycle::Delay;
pub use log::{Entry, Event, Phase};
pub use new_resources::{NewInstance, NewVolume};
pub use node::Node;
pub use running::Running;
pub use script::Script;
pub use sim::Sim;
pub use state::{Attachment, Network};
pub use storage::{IscsiTarget, Storage, VirtualDisk};
pub use throttle::Throttle;
