//! Sends a signed request with reqwest. For https, choose one of its TLS features.
#![expect(clippy::print_stdout, reason = "its user reads the terminal")]

mod account;

use std::error::Error;

async fn send() -> Result<(), Box<dyn Error>> {
    let request = account::signed_request()?;
    // reqwest takes requests of the `http` crate
    let answer = reqwest::Client::new().execute(request.try_into()?).await?;
    println!("{}\n{}", answer.status(), answer.text().await?);
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(send())
}
