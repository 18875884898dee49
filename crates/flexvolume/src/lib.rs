//! The flexvolume exec protocol, as kubelet and kube-controller-manager speak it.
//!
//! The caller starts the driver once per call, `<driver> <call> [arguments…]`, and reads standard
//! output and standard error together as one JSON object. There is no other channel.
//!
//! ```text
//! init                                                            what can the driver do?
//! getvolumename <options>                                         answer is thrown away by every caller
//! attach        <options> <node name>                             controller: volume → node
//! isattached    <options> <node name>                             controller: still there?
//! waitforattach <device> <options>                                node: which device is it?
//! mountdevice   <global mount dir> <device> <options>             node: once per volume
//! mount         <pod volume dir> <options>                        node: once per pod; may carry secrets
//! unmount       <pod volume dir>
//! unmountdevice <global mount dir>
//! detach        <volume name> <node name>                         controller, without options
//! expandvolume  <options> <global mount dir> <new bytes> <old bytes>
//! expandfs      <options> <device> <mount dir> <new bytes> <old bytes>
//! ```
//!
//! A backend implements [`Driver`]; [`dispatch`] turns an argument list into a [`Call`], the call
//! into a method of the driver and its result into a [`Reply`]. Nothing here does any I/O except
//! for records through the `log` facade.
//!
//! Lenient in: unknown options, `null` values, either order of `isattached`'s arguments and both
//! spellings of the fsGroup option are fine, and an unknown call is "Not supported".
//! Strict out: one line, no field that has nothing to say, never `null`.
//!
//! "Not supported" is a statement about the driver: the caller remembers it and never makes that
//! call again until the next `init`. What fails today is a [`Failure::Failed`].

mod call;
mod dispatch;
mod driver;
mod error;
mod options;
mod record;
mod reply;
mod secret;

pub use call::Call;
pub use dispatch::dispatch;
pub use driver::{Driver, Failure, Result};
pub use error::{CallError, OptionsError};
pub use options::Options;
pub use record::{is_frequent, log_outcome};
pub use reply::{Capabilities, Reply, Status};
pub use secret::Secret;
