//! Decrypts private keys: PKCS#8 with PBES2, and what OpenSSL 1 wrote into PEM headers.

use cbc::Decryptor;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::Pkcs7};
use md5::{Digest, Md5};
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::{EncryptedPrivateKeyInfoRef, pkcs5};
use zeroize::Zeroizing;

use crate::{der, error::Kind, pem_block::Der};

/// Decrypts an EncryptedPrivateKeyInfo (RFC 5958) that uses PBES2 (RFC 8018).
pub(crate) fn decrypt_pkcs8(der: &[u8], passphrase: &str) -> Result<Der, Kind> {
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| {
        if der::is_encrypted_key_info(der) { Kind::UnsupportedEncryption } else { Kind::Damaged }
    })?;
    let scheme = info.encryption_algorithm.pbes2().ok_or(Kind::UnsupportedEncryption)?;
    if !is_affordable(&scheme.kdf) {
        return Err(Kind::UnsupportedEncryption);
    }
    match info.decrypt(passphrase) {
        Ok(key) => Ok(Zeroizing::new(key.as_bytes().to_vec())),
        Err(pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::UnsupportedAlgorithm { .. })) => {
            Err(Kind::UnsupportedEncryption)
        }
        Err(_) => Err(Kind::WrongPassphrase),
    }
}

/// Decrypts a key with the header `DEK-Info: <cipher>,<initialisation vector in hex>`.
pub(crate) fn decrypt_pkcs1(mut der: Der, dek_info: &str, passphrase: &str) -> Result<Der, Kind> {
    let (cipher, iv) = dek_info.split_once(',').ok_or(Kind::Damaged)?;
    let iv = from_hex(iv.trim()).ok_or(Kind::Damaged)?;
    let decrypt = match cipher.trim().to_ascii_uppercase().as_str() {
        "AES-128-CBC" => decrypt::<Decryptor<aes::Aes128>, 16>,
        "AES-192-CBC" => decrypt::<Decryptor<aes::Aes192>, 24>,
        "AES-256-CBC" => decrypt::<Decryptor<aes::Aes256>, 32>,
        "DES-EDE3-CBC" => decrypt::<Decryptor<des::TdesEde3>, 24>,
        "DES-CBC" => decrypt::<Decryptor<des::Des>, 8>,
        _ => return Err(Kind::UnsupportedEncryption),
    };
    let length = decrypt(&mut der, &iv, passphrase)?;
    der.truncate(length);
    Ok(der)
}

/// Decrypts in place and returns how long the text is.
fn decrypt<C: BlockModeDecrypt + KeyIvInit, const KEY_LENGTH: usize>(
    buffer: &mut [u8],
    iv: &[u8],
    passphrase: &str,
) -> Result<usize, Kind> {
    let salt = iv.get(..SALT_LENGTH).ok_or(Kind::Damaged)?;
    let key = derive_key::<KEY_LENGTH>(passphrase, salt);
    let cipher = C::new_from_slices(&*key, iv).map_err(|_| Kind::Damaged)?;
    let text = cipher.decrypt_padded::<Pkcs7>(buffer).map_err(|_| Kind::WrongPassphrase)?;
    Ok(text.len())
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one iteration: blocks of
/// `MD5(block before ‖ passphrase ‖ salt)`.
fn derive_key<const LENGTH: usize>(passphrase: &str, salt: &[u8]) -> Zeroizing<[u8; LENGTH]> {
    let mut key = Zeroizing::new([0; LENGTH]);
    let mut block = Zeroizing::new(Vec::new());
    for chunk in key.chunks_mut(MD5_LENGTH) {
        let digest =
            Md5::new().chain_update(&*block).chain_update(passphrase).chain_update(salt).finalize();
        block = Zeroizing::new(digest.to_vec());
        chunk.iter_mut().zip(block.iter()).for_each(|(to, from)| *to = *from);
    }
    key
}

/// Whether deriving the key takes seconds and megabytes, not hours and all memory.
fn is_affordable(kdf: &Kdf) -> bool {
    match kdf {
        Kdf::Pbkdf2(it) => it.iteration_count <= MAX_ITERATIONS,
        Kdf::Scrypt(it) => u64::from(it.block_size)
            .saturating_mul(it.parallelization.into())
            .saturating_mul(it.cost_parameter)
            .le(&MAX_SCRYPT_COST),
        _ => false,
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|it| it.to_digit(16).and_then(|it| u8::try_from(it).ok())).collect();
    Some(digits?.chunks(2).map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit)).collect())
}

const SALT_LENGTH: usize = 8;
const MD5_LENGTH: usize = 16;
/// OpenSSL's default is 2048.
const MAX_ITERATIONS: u32 = 10_000_000;
/// Times 128 bytes. OpenSSL's default is 2¹⁷.
const MAX_SCRYPT_COST: u64 = 1 << 20;
