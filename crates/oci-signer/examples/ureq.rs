//! Sends a signed request with ureq.
#![expect(clippy::print_stdout, reason = "its user reads the terminal")]

mod account;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let request = account::signed_request()?;
    // ureq's own requests are those of the `http` crate
    let mut answer = ureq::run(request)?;
    println!("{}\n{}", answer.status(), answer.body_mut().read_to_string()?);
    Ok(())
}
