//! Signatures of whole requests, against the bare RSA operation inside.

use std::{hint::black_box, time::SystemTime};

use anyhow::{Result, anyhow};
use http::{Request, request::Parts};
use oci_signer::{Coverage, KeyId, PrivateKey, Signer, signing_string};
use oci_sim::ApiKeyUser;
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};

use super::{
    figure::{Bound, Figure},
    sample::Sample,
    stopwatch::time,
};

/// How long signatures take.
pub(super) struct Signing {
    /// One signed request, in milliseconds.
    pub(super) millis: f64,
    /// How many signed requests come on a hundred bare signatures: the median of neighbours.
    rate: f64,
    /// The same of the fastest ones.
    best: f64,
}

impl Signing {
    /// Makes one of each in turn, many times: most are done before anything else wants the processor.
    pub(super) fn measure() -> Result<Self> {
        let pair = Pair::new()?;
        let (mut bare, mut whole, mut rate) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (bare_time, done) = time(|| pair.bare());
            done?;
            let (whole_time, done) = time(|| pair.whole());
            done?;
            bare.push(bare_time);
            whole.push(whole_time);
            rate.push(bare_time / whole_time * 100.0);
        }
        let (bare, whole) = (Sample::from_iter(bare), Sample::from_iter(whole));
        let best = bare.least() / whole.least() * 100.0;
        Ok(Self { millis: whole.median(), rate: Sample::from_iter(rate).median(), best })
    }

    pub(super) fn figure(&self) -> Figure {
        Figure {
            what: "signatures, of the rate of ring’s bare RSA-2048",
            unit: "%",
            median: self.rate,
            best: Some(self.best),
            also: Some(format!("{:.2} ms each", self.millis)),
            bound: Bound::AtLeast(95.0),
            go: "–",
            because: "headers and signing string are put together too".to_owned(),
        }
    }
}

/// The two ways to sign, with one key.
struct Pair {
    signer: Signer,
    request: Parts,
    key: RsaKeyPair,
    random: SystemRandom,
    text: String,
}

impl Pair {
    fn new() -> Result<Self> {
        let user = ApiKeyUser::fresh()?;
        let pem = pem::parse(&user.private_key_pem)?;
        let key = RsaKeyPair::from_pkcs8(pem.contents())
            .map_err(|error| anyhow!("ring refuses the key: {error}"))?;
        let id = KeyId::api_key(&user.tenancy, &user.user, &user.fingerprint);
        let signer = Signer::new(id, PrivateKey::from_pem(&user.private_key_pem, None)?);
        let (request, ()) = Request::get(URI).body(())?.into_parts();
        let headers = signer.sign(&request, b"", SystemTime::UNIX_EPOCH)?;
        let text = signing_string(&request, &headers, Coverage::default())?;
        Ok(Self { signer, request, key, random: SystemRandom::new(), text })
    }

    /// Ring alone, on a signing string.
    fn bare(&self) -> Result<()> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &self.random, self.text.as_bytes(), &mut signature)
            .map_err(|_| anyhow!("ring cannot sign"))?;
        black_box(signature);
        Ok(())
    }

    /// The signer, from a request to its headers.
    fn whole(&self) -> Result<()> {
        black_box(self.signer.sign(&self.request, b"", SystemTime::UNIX_EPOCH)?);
        Ok(())
    }
}

const URI: &str = "https://iaas.us-phoenix-1.oraclecloud.com/20160918/volumeAttachments/ocid1.volumeattachment.oc1.phx.aaaa";
const ROUNDS: usize = 2000;
