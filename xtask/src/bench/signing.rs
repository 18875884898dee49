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

/// How many of ring's signatures the signer makes in the same time.
pub(super) fn figure() -> Result<Figure> {
    let bench = Bench::new()?;
    let (mut rates, mut times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (bare, done) = time(|| bench.bare());
        done?;
        let (whole, done) = time(|| bench.whole());
        done?;
        rates.push(bare / whole * 100.0);
        times.push(whole / f64::from(BATCH));
    }
    let (rates, times) = (Sample::from_iter(rates), Sample::from_iter(times));
    Ok(Figure {
        what: "signatures, of the rate of ring's bare RSA-2048",
        unit: "%",
        median: rates.median(),
        best: Some(rates.most()),
        also: Some(format!("{:.2} ms each", times.median())),
        bound: Bound::AtLeast(95.0),
        go: "–",
        because: "headers and signing string are put together too",
    })
}

struct Bench {
    signer: Signer,
    request: Parts,
    key: RsaKeyPair,
    random: SystemRandom,
    text: String,
}

impl Bench {
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

    /// A batch of signatures by ring alone.
    fn bare(&self) -> Result<()> {
        for _ in 0..BATCH {
            let mut signature = vec![0; self.key.public().modulus_len()];
            self.key
                .sign(&RSA_PKCS1_SHA256, &self.random, self.text.as_bytes(), &mut signature)
                .map_err(|_| anyhow!("ring cannot sign"))?;
            black_box(signature);
        }
        Ok(())
    }

    /// A batch of signed requests.
    fn whole(&self) -> Result<()> {
        for _ in 0..BATCH {
            black_box(self.signer.sign(&self.request, b"", SystemTime::UNIX_EPOCH)?);
        }
        Ok(())
    }
}

const URI: &str = "https://iaas.us-phoenix-1.oraclecloud.com/20160918/volumeAttachments/ocid1.volumeattachment.oc1.phx.aaaa";
const ROUNDS: usize = 60;
const BATCH: u32 = 20;
