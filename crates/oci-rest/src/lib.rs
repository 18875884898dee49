//! Sends operations to Oracle Cloud Infrastructure: signing, retries, waiting.
