//! Amazon SNS: the envelope around the events of SES.
//!
//! ```text
//! topic is configured ─▶ certificate's host is SNS of the topic's region ─▶ signature ─▶ not too old
//!                                                       │                             │
//!                                   fetched, kept a day ┘     notification ─▶ read ◀──┤
//!                                                             confirmation ─▶ visit ◀─┘
//! ```
//!
//! Nothing is fetched for a topic that is not configured, and nothing from another host: the region is part of the topic's
//! name. When a fetch fails the answer is 503, and SNS delivers again.

use std::sync::Arc;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm, alg_id,
};

use super::super::error::ApiError;
use super::super::timestamp;
use super::fetch::Fetch;
use restockd_core::Millis;
use restockd_core::keys::KEEP_MS;

const CERTIFICATE_MS: u64 = 86_400_000;
const CERTIFICATES_MAX: usize = 4;
/// Time after a failed fetch before the next one.
const PAUSE_MS: u64 = 1000;

/// A topic's name, and the host that follows from it.
#[derive(Debug, Clone)]
pub(super) struct Topic {
    arn: String,
    /// The host of the topic's certificates and confirmations.
    host: String,
}

impl Topic {
    /// Reads `arn:aws:sns:<region>:<account>:<name>`.
    pub(super) fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", partition, "sns", region, account, name] = parts.as_slice() else { return None };
        let plain = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let end = match *partition {
            "aws" | "aws-us-gov" => "amazonaws.com",
            "aws-cn" => "amazonaws.com.cn",
            _ => return None,
        };
        let fits =
            plain(region) && !region.contains('_') && plain(account) && plain(name.trim_end_matches(".fifo"));
        fits.then(|| Self { arn: arn.to_owned(), host: format!("sns.{region}.{end}") })
    }

    /// The path of a URL; `None` when the URL is not on this topic's host.
    fn path<'a>(&self, url: &'a str) -> Option<&'a str> {
        let path = url.strip_prefix("https://")?.strip_prefix(self.host.as_str())?;
        let plain = path.bytes().all(|b| b.is_ascii_graphic() && !b"\\\"<>@".contains(&b));
        (path.starts_with('/') && plain && path.len() <= 2048).then_some(path)
    }

    /// Whether it is the URL of a certificate.
    fn is_certificate(&self, url: &str) -> bool {
        let name = self.path(url).and_then(|path| path.strip_prefix("/SimpleNotificationService-"));
        let name = name.and_then(|name| name.strip_suffix(".pem"));
        name.is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()))
    }

    /// Whether it is the URL that confirms a subscription.
    fn is_confirmation(&self, url: &str) -> bool {
        self.path(url).is_some_and(|path| path.starts_with("/?Action=ConfirmSubscription&"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    #[serde(rename = "Type")]
    kind: String,
    message_id: String,
    topic_arn: String,
    message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    subject: Option<String>,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    token: Option<String>,
}

impl Envelope {
    /// The text that is signed: names and values in the order of their names.
    fn canonical(&self) -> Option<String> {
        let subject = self.subject.as_deref();
        let (subject, url, token) = match self.kind.as_str() {
            "Notification" => (subject, None, None),
            "SubscriptionConfirmation" => {
                (None, Some(self.subscribe_url.as_deref()?), Some(self.token.as_deref()?))
            }
            _ => return None,
        };
        let fields = [
            ("Message", Some(self.message.as_str())),
            ("MessageId", Some(self.message_id.as_str())),
            ("Subject", subject),
            ("SubscribeURL", url),
            ("Timestamp", Some(self.timestamp.as_str())),
            ("Token", token),
            ("TopicArn", Some(self.topic_arn.as_str())),
            ("Type", Some(self.kind.as_str())),
        ];
        let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Some(given.fold(String::new(), |text, (name, value)| text + name + "\n" + value + "\n"))
    }
}

/// The content of a verified message.
pub(super) enum SnsNotice {
    /// An event of SES, as JSON.
    Event(Bytes),
    /// The subscription was confirmed just now.
    Confirmed,
}

/// Receives the messages of one topic.
pub(super) struct Sns {
    topic: Topic,
    fetch: Arc<dyn Fetch>,
    held: Mutex<CertificateCache>,
}

#[derive(Default)]
struct CertificateCache {
    certificates: Vec<(String, Arc<Vec<u8>>, Millis)>,
    /// Nothing is fetched before this time.
    pause: Millis,
}

impl Sns {
    pub(super) fn new(topic: Topic, fetch: Arc<dyn Fetch>) -> Self {
        Self { topic, fetch, held: Mutex::default() }
    }

    /// Verifies a message, and confirms a subscription if it asks for that.
    pub(super) async fn receive(&self, body: &[u8], now: Millis) -> Result<SnsNotice, ApiError> {
        let envelope: Envelope = serde_json::from_slice(body).map_err(|_| ApiError::BadSignature)?;
        if envelope.topic_arn != self.topic.arn || !self.topic.is_certificate(&envelope.signing_cert_url) {
            return Err(ApiError::BadSignature);
        }
        let text = envelope.canonical().ok_or(ApiError::BadSignature)?;
        let signature = STANDARD.decode(&envelope.signature).map_err(|_| ApiError::BadSignature)?;
        let sent = timestamp::parse(&envelope.timestamp).ok_or(ApiError::BadSignature)?;
        if now.since(sent) >= KEEP_MS {
            // Repeats are not remembered for as long as this, so the message is refused.
            return Err(ApiError::BadSignature);
        }
        let certificate = self.certificate(&envelope.signing_cert_url, now).await?;
        verify(&certificate, &envelope.signature_version, text.as_bytes(), &signature)
            .ok_or(ApiError::BadSignature)?;
        match envelope.subscribe_url {
            None => Ok(SnsNotice::Event(envelope.message.into())),
            Some(url) if envelope.kind == "SubscriptionConfirmation" && self.topic.is_confirmation(&url) => {
                self.fetch.get(url).await.ok_or(ApiError::Unfetched)?;
                tracing::info!("the subscription of the SNS topic for returns is confirmed");
                Ok(SnsNotice::Confirmed)
            }
            Some(_) => Err(ApiError::BadSignature),
        }
    }

    /// The certificate at a checked URL, from the cache or fetched.
    async fn certificate(&self, url: &str, now: Millis) -> Result<Arc<Vec<u8>>, ApiError> {
        {
            let mut held = self.held.lock();
            held.certificates.retain(|(_, _, at)| now.since(*at) < CERTIFICATE_MS);
            if let Some((_, certificate, _)) = held.certificates.iter().find(|(known, _, _)| known == url) {
                return Ok(Arc::clone(certificate));
            }
            if now < held.pause {
                return Err(ApiError::Unfetched);
            }
        }
        let fetched = self.fetch.get(url.to_owned()).await.and_then(|pem| {
            CertificateDer::from_pem_slice(&pem).ok().map(|der| Arc::new(der.as_ref().to_vec()))
        });
        let mut held = self.held.lock();
        let Some(certificate) = fetched else {
            held.pause = now.plus(PAUSE_MS);
            return Err(ApiError::Unfetched);
        };
        if held.certificates.len() >= CERTIFICATES_MAX {
            held.certificates.remove(0);
        }
        held.certificates.push((url.to_owned(), Arc::clone(&certificate), now));
        Ok(certificate)
    }
}

/// Verifies a signature with the key of a certificate.
fn verify(certificate: &[u8], version: &str, text: &[u8], signature: &[u8]) -> Option<()> {
    let der = CertificateDer::from(certificate);
    let certificate = webpki::EndEntityCert::try_from(&der).ok()?;
    let algorithm: &dyn SignatureVerificationAlgorithm = match version {
        "1" => &Sha1,
        "2" => webpki::ring::RSA_PKCS1_2048_8192_SHA256,
        _ => return None,
    };
    certificate.verify_signature(algorithm, text, signature).ok()
}

/// RSA with SHA-1: SNS's first signature version, the default of topics.
#[derive(Debug)]
struct Sha1;

impl SignatureVerificationAlgorithm for Sha1 {
    fn verify_signature(&self, key: &[u8], text: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let algorithm = &ring::signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
        let key = ring::signature::UnparsedPublicKey::new(algorithm, key);
        key.verify(text, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_PKCS1_SHA256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_on_the_topics_own_host_are_ever_fetched() {
        let topic = Topic::parse("arn:aws:sns:eu-west-1:123456789012:returns").unwrap();
        let good = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0ab1.pem";
        assert!(topic.is_certificate(good));
        for bad in [
            "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0ab1.pem",
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0ab1.pem",
            "https://evil.example/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com/bucket/SimpleNotificationService-0ab1.pem",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0ab1.pem?x",
            "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-.pem",
            "",
        ] {
            assert!(!topic.is_certificate(bad), "{bad}");
        }
        let visit = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=y";
        assert!(topic.is_confirmation(visit));
        assert!(!topic.is_confirmation("https://sns.eu-west-1.amazonaws.com/?Action=DeleteTopic&"));
        let china = Topic::parse("arn:aws-cn:sns:cn-north-1:1:x.fifo").unwrap();
        assert!(
            china
                .is_certificate("https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0ab1.pem")
        );
        for bad in [
            "",
            "arn:aws:sqs:eu-west-1:1:x",
            "arn:aws:sns:eu/west:1:x",
            "arn:aws:sns::1:x",
            "arn:x:sns:a:1:b",
        ] {
            assert!(Topic::parse(bad).is_none(), "{bad}");
        }
    }
}
