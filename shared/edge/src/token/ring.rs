//! The signatures of tokens and tickets, by ring: TLS brings it along, it has been looked at by many,
//! and it compares in constant time.
//!
//! Only what is used is here. Asked for anything else, it refuses.

use ::ring::hmac;
use ::ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

/// Has `jsonwebtoken` sign and verify by ring, in all of this process: HS256 both ways, RS256, ES256
/// and `EdDSA` by public keys. Safe to repeat, and costs next to nothing; it must come before the first
/// token or ticket.
pub fn install_crypto() {
    // It fails if a provider is there: this one, unless somebody signed before.
    let _ = PROVIDER.install_default();
}

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    match (algorithm, key.family()) {
        (Algorithm::HS256, AlgorithmFamily::Hmac) => Ok(Box::new(Hs256::new(key.as_bytes()))),
        _others => Err(unsupported()),
    }
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    if algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    let public = |with: &'static dyn VerificationAlgorithm, bytes: &Vec<u8>| {
        let key = UnparsedPublicKey::new(with, bytes.clone());
        Box::new(PublicKey { algorithm: *algorithm, key })
    };
    let verifier: Box<dyn JwtVerifier> = match (algorithm, key.kind()) {
        (Algorithm::HS256, DecodingKeyKind::SecretOrDer(secret)) => Box::new(Hs256::new(secret)),
        (Algorithm::RS256, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            Box::new(Rs256(RsaPublicKeyComponents { n: n.clone(), e: e.clone() }))
        }
        (Algorithm::ES256, DecodingKeyKind::SecretOrDer(point)) => {
            public(&ECDSA_P256_SHA256_FIXED, point)
        }
        (Algorithm::EdDSA, DecodingKeyKind::SecretOrDer(point)) => public(&ED25519, point),
        _others => return Err(unsupported()),
    };
    Ok(verifier)
}

/// HMAC with SHA-256 (RFC 7518, section 3.2).
struct Hs256(hmac::Key);

impl Hs256 {
    fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        hmac::verify(&self.0, message, tag).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

/// RSA of 2,048 to 8,192 bits with SHA-256 (RFC 7518, section 3.3).
struct Rs256(RsaPublicKeyComponents<Vec<u8>>);

impl Verifier<Vec<u8>> for Rs256 {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let verified = self.0.verify(&RSA_PKCS1_2048_8192_SHA256, message, tag);
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Rs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

/// A point of a curve: P-256 (RFC 7518, section 3.4) or Ed25519 (RFC 8037, section 3.1).
struct PublicKey {
    algorithm: Algorithm,
    key: UnparsedPublicKey<Vec<u8>>,
}

impl Verifier<Vec<u8>> for PublicKey {
    fn verify(&self, message: &[u8], tag: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        self.key.verify(message, tag).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for PublicKey {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
    use jsonwebtoken::crypto::{sign, verify};

    use super::*;

    const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvb\
                           S9pc19yb290Ijp0cnVlfQ";

    /// A key, what it signed, and the signature.
    struct Example {
        algorithm: Algorithm,
        key: DecodingKey,
        message: String,
        signature: &'static str,
    }

    fn hs256_key() -> Vec<u8> {
        let text = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z\
                    9CAow";
        BASE64URL.decode(text).unwrap()
    }

    /// What others signed: RFC 7515, appendixes A.1 and A.3, RFC 8037, appendix A.4, and openssl.
    fn examples() -> [Example; 4] {
        let modulus = "tMyPX6LIHV1ELytS-tvvVWeSXS34NBzbP7HC3P5OOjDnbtPKn0qMoB6btaNC3vF1RbxVOoLh2i9Zo\
                       PumJxcSsglPhigSoV-n4tbfL3HodFada41-LMVJrAXDOPQ7j4va2Ch9ZWJIU7zQ-8ks1cuu8L_oT\
                       ieWY5HFA_GxaxteSbn91uLHA5cwQOmoVLV9ehqqNS1QCDw9p0Zkw2cOAZvIcl1bxnQVfYW-Me_um\
                       mGXju3dhs7ehsjKNC772VEBrZYKuc8k-p4EyNIykZ-PRMhUpUVZQ1PFt3clWZUxdCjvfrx8aSK_7\
                       ggDWvQLkqZBHX64TKUooO_aARXjDkrIupTCnw";
        let (x, y) = (
            "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        );
        [
            Example {
                algorithm: Algorithm::HS256,
                key: DecodingKey::from_secret(&hs256_key()),
                message: format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}"),
                signature: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
            },
            Example {
                algorithm: Algorithm::RS256,
                key: DecodingKey::from_rsa_components(modulus, "AQAB").unwrap(),
                message: format!("eyJhbGciOiJSUzI1NiJ9.{PAYLOAD}"),
                signature: "DJjs4tmSNVfBNrpN6dZ_U72rttwrv1XqfXftUYBs5PBMH8T-lT333O5yI7br7M6iWRtpFKQ7\
                            LRhzseGMLk_DsytuzMgSbH2iM6a0JaO5qHUh6MBr-GZfKXK2DeEQdUKDuXGCuJdvDZp0VYN2\
                            g-xC3VxN5kbUjUVIFras60HSA1pkvr9OvInCA-aQehqQuDp2nLN9IYdsIDBEgPfnsWsj6fpZ\
                            w5ijixErsszrA17DJauApcfeZzyqBkRIgRl6qtRKAHOa18CIpYqc3N6PKTzj2qyYv10zTwW5\
                            mkY39W4TB3zlJWBMmwpo4a5D6mZEA0ShXqE4nb19hOdkhzECT-y2dw",
            },
            Example {
                algorithm: Algorithm::ES256,
                key: DecodingKey::from_ec_components(x, y).unwrap(),
                message: format!("eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}"),
                signature: "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKT\
                            UJqPP3-Kg6NU1Q",
            },
            Example {
                algorithm: Algorithm::EdDSA,
                key: DecodingKey::from_ed_components("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
                    .unwrap(),
                message: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7\
                            sVvpAr_MuM0KAg",
            },
        ]
    }

    #[test]
    fn what_others_signed_is_verified_and_nothing_near_it() {
        install_crypto();
        for Example { algorithm, key, message, signature } in examples() {
            let is_signed = |message: &str, signature: &[u8]| {
                let signature = BASE64URL.encode(signature);
                verify(&signature, message.as_bytes(), &key, algorithm).unwrap()
            };
            let good = BASE64URL.decode(signature).unwrap();
            assert!(is_signed(&message, &good), "{algorithm:?}");
            assert!(!is_signed(&format!("{message}A"), &good), "{algorithm:?}");
            assert!(!is_signed(&message, &good[..good.len() - 1]), "{algorithm:?}");
            assert!(!is_signed(&message, &[]), "{algorithm:?}");
            assert!(!is_signed(&message, &vec![0; good.len()]), "{algorithm:?}");
            for position in [0, good.len() / 2, good.len() - 1] {
                let mut bad = good.clone();
                bad[position] ^= 1;
                assert!(!is_signed(&message, &bad), "{algorithm:?} at {position}");
            }
        }
    }

    #[test]
    fn a_key_serves_its_own_algorithm_and_no_other() {
        use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, RS256, RS384, RS512};

        install_crypto();
        for Example { algorithm, key, message, signature } in examples() {
            for other in [HS256, HS384, HS512, RS256, RS384, RS512, PS256, ES256, ES384, EdDSA] {
                let verified = verify(signature, message.as_bytes(), &key, other);
                assert_eq!(verified.is_ok(), other == algorithm, "{algorithm:?} as {other:?}");
            }
        }
    }

    #[test]
    fn only_hs256_signs() {
        install_crypto();
        let [example, ..] = examples();
        let key = EncodingKey::from_secret(&hs256_key());
        let signed = sign(example.message.as_bytes(), &key, Algorithm::HS256);
        assert_eq!(signed.as_deref(), Ok(example.signature));
        for other in [Algorithm::HS512, Algorithm::RS256, Algorithm::EdDSA] {
            assert!(sign(b"", &key, other).is_err(), "{other:?}");
        }
    }
}
