//! The engine's own secrets and what is made with them: link tokens, hashes, Message-IDs.
//!
//! ```text
//! token   base64url [ 1 | key id | purpose | person u32 LE | list id … | mac 16 bytes ]
//! confirm base64url [ 1 | key id | 3       | person u32 LE | address, round, until u64 LE | mac ]
//! ```
//!
//! A token is bound to its purpose (it cannot be used for another), holds no address, and works as long as its key is
//! kept: years, so keys are only ever added. Hashes are keyed too, so that nobody outside can compute or collide them.
//! Everything is compared in constant time. Bounce tokens have a form of their own: `token/bounce.rs`.

mod bounce;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub use bounce::BOUNCE_TOKEN_CHARS;

use restockd_core::{CampaignId, Email, ListId, Millis, PersonId};

/// Bytes of the MAC at a token's end.
const MAC_BYTES: usize = 16;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Leaving a list, or all mail.
    Unsubscribe,
    /// Seeing and changing the person's lists.
    Preferences,
}

/// The content of a link's token that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub person: PersonId,
    /// `None` when the link is for all mail.
    pub list: Option<ListId>,
}

/// The content of a confirmation link's token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirming {
    pub person: PersonId,
    /// The hash of the address that the mail was sent to.
    pub address: u64,
    /// The directory's counter of the newest request that the link confirms. Confirmed requests are no longer pending and
    /// later ones are newer, so each link works once.
    pub round: u64,
    /// The time from which the link no longer works.
    pub until: Millis,
}

/// The secrets of one engine, made once and kept outside log and snapshots.
#[derive(Clone)]
pub struct Secrets {
    /// The engine's random id, which every file it writes carries.
    pub engine: [u8; 16],
    signing: Vec<(u8, Hmac<Sha256>)>,
    hashing: Hmac<Sha256>,
    seed: u64,
    text: String,
}

/// Shows no secret.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Secrets {
    /// New secrets from 80 random bytes.
    #[must_use]
    pub fn new(random: &[u8; 80]) -> Self {
        let (engine, rest) = random.split_at(16);
        let (signing, hashing) = rest.split_at(32);
        let text = format!(
            "# restockd: keep this file with the data and out of sight; without it links die.\n\
             engine {}\nsigning 1 {}\nhashing {}\n",
            hex(engine),
            hex(signing),
            hex(hashing)
        );
        Self::parse(&text).unwrap_or_else(|| unreachable!("the text just made has all three lines"))
    }

    /// Reads the text of the secrets file; `None` when a line is missing or malformed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mut engine, mut signing, mut hashing) = (None, Vec::new(), None);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["engine", value] => engine = unhex(value)?.try_into().ok(),
                ["signing", id, value] => signing.push((id.parse().ok()?, mac_key(&unhex(value)?)?)),
                ["hashing", value] => hashing = Some(unhex(value)?),
                _ => return None,
            }
        }
        let hashing = hashing?;
        let seed = u64::from_le_bytes(hashing.get(..8)?.try_into().ok()?);
        let whole = !signing.is_empty();
        whole.then_some(())?;
        Some(Self { engine: engine?, signing, hashing: mac_key(&hashing)?, seed, text: text.to_owned() })
    }

    /// The text of the secrets file.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The seed of hashed indexes in memory.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// A keyed hash of `parts` for one purpose; the parts are delimited, so they cannot be confused.
    #[must_use]
    pub(crate) fn hash(&self, purpose: &str, parts: &[&str]) -> u128 {
        let mut mac = self.hashing.clone();
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        let code = mac.finalize().into_bytes();
        code.iter().take(16).fold(0, |hash, byte| hash << 8 | u128::from(*byte))
    }

    /// The hash that stands for an address in records.
    #[must_use]
    pub fn address(&self, email: &Email) -> u128 {
        self.hash("address", &[email.as_str()])
    }

    /// The id of a campaign that has this key.
    #[must_use]
    pub fn campaign(&self, key: &str) -> CampaignId {
        CampaignId(self.hash("campaign", &[key]))
    }

    /// The local part of a letter's Message-ID: the same on every attempt.
    #[must_use]
    pub fn message(&self, campaign: CampaignId, address: u64) -> String {
        format!("{:032x}", self.message_number(campaign, address))
    }

    /// The number that [`Secrets::message`] writes in hexadecimal.
    #[must_use]
    pub(crate) fn message_number(&self, campaign: CampaignId, address: u64) -> u128 {
        self.hash("message", &[&campaign.to_string(), &address.to_string()])
    }

    /// Makes a link's token.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, person: PersonId, list: Option<&ListId>) -> String {
        self.seal(purpose_byte(purpose), person, list.map_or("", |list| list.as_str()).as_bytes())
    }

    /// Makes a confirmation link's token.
    #[must_use]
    pub fn sign_confirming(&self, link: &Confirming) -> String {
        let rest = [link.address, link.round, link.until.0].map(u64::to_le_bytes).concat();
        self.seal(CONFIRM_BYTE, link.person, &rest)
    }

    /// Reads and verifies a confirmation link's token; the caller compares `until` with the clock.
    #[must_use]
    pub fn verify_confirming(&self, token: &str) -> Option<Confirming> {
        let (person, rest) = self.open(CONFIRM_BYTE, token)?;
        let (numbers, []) = rest.as_chunks::<8>() else { return None };
        let [address, round, until] = numbers else { return None };
        let [address, round, until] = [address, round, until].map(|bytes| u64::from_le_bytes(*bytes));
        Some(Confirming { person, address, round, until: Millis(until) })
    }

    /// Makes a token of a kind.
    fn seal(&self, kind: u8, person: PersonId, rest: &[u8]) -> String {
        let (id, key) = match self.signing.last() {
            Some((id, key)) => (*id, key.clone()),
            None => unreachable!("secrets are only made with a signing key"),
        };
        let mut bytes = vec![1, id, kind];
        bytes.extend_from_slice(&person.0.to_le_bytes());
        bytes.extend_from_slice(rest);
        let code = key.chain_update(&bytes).finalize().into_bytes();
        bytes.extend(code.iter().take(MAC_BYTES));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Verifies a token of a kind: its person, and the bytes after it.
    fn open(&self, kind: u8, token: &str) -> Option<(PersonId, Vec<u8>)> {
        if token.len() > 512 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (body, code) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        let [1, id, of, a, b, c, d, rest @ ..] = body else { return None };
        let (_, key) = self.signing.iter().find(|(known, _)| known == id)?;
        key.clone().chain_update(body).verify_truncated_left(code).ok()?;
        (*of == kind).then(|| (PersonId(u32::from_le_bytes([*a, *b, *c, *d])), rest.to_vec()))
    }

    /// Reads and verifies a token that was made for `purpose`.
    #[must_use]
    pub(crate) fn verify(&self, purpose: Purpose, token: &str) -> Option<Link> {
        let (person, list) = self.open(purpose_byte(purpose), token)?;
        let list = std::str::from_utf8(&list).ok()?;
        let list = if list.is_empty() { None } else { Some(ListId::parse(list)?) };
        Some(Link { person, list })
    }
}

/// SHA-256 of an API key's secret part, which is random and long: it needs no slow hash.
#[must_use]
pub(crate) fn key_hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

#[must_use]
pub(crate) fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
}

/// The kind of confirmation links; no [`Purpose`] has this byte.
const CONFIRM_BYTE: u8 = 3;

/// The byte that binds a token to its purpose.
fn purpose_byte(purpose: Purpose) -> u8 {
    match purpose {
        Purpose::Unsubscribe => 1,
        Purpose::Preferences => 2,
    }
}

/// A MAC with its key, which may have any length.
fn mac_key(bytes: &[u8]) -> Option<Hmac<Sha256>> {
    (bytes.len() >= 32).then(|| Hmac::new_from_slice(bytes).ok()).flatten()
}

/// Bytes as lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal back to bytes.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(seed: u8) -> Secrets {
        Secrets::new(&std::array::from_fn(|i| seed.wrapping_add(i as u8)))
    }

    #[test]
    fn a_token_does_one_job_for_one_person_and_list() {
        let secrets = secrets(1);
        let list = ListId::parse("restock-chair 01/ü");
        let token = secrets.sign(Purpose::Unsubscribe, PersonId(7), list.as_ref());
        assert_eq!(secrets.verify(Purpose::Unsubscribe, &token), Some(Link { person: PersonId(7), list }));
        assert_eq!(secrets.verify(Purpose::Preferences, &token), None);
        assert_eq!(self::secrets(2).verify(Purpose::Unsubscribe, &token), None);
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn a_link_that_confirms_does_nothing_else_and_no_other_link_confirms() {
        let secrets = secrets(1);
        let link = Confirming { person: PersonId(7), address: 9, round: 3, until: Millis(u64::MAX) };
        let token = secrets.sign_confirming(&link);
        assert_eq!(secrets.verify_confirming(&token), Some(link));
        assert_eq!(self::secrets(2).verify_confirming(&token), None);
        for purpose in [Purpose::Unsubscribe, Purpose::Preferences] {
            assert_eq!(secrets.verify(purpose, &token), None);
            let list = ListId::parse("x".repeat(24).as_str());
            assert_eq!(secrets.verify_confirming(&secrets.sign(purpose, PersonId(7), list.as_ref())), None);
        }
    }

    #[test]
    fn any_changed_character_kills_a_token() {
        let secrets = secrets(1);
        let token = secrets.sign(Purpose::Preferences, PersonId(7), None);
        for at in 0..token.len() {
            for other in ["A", "b", "_", ""] {
                let mut bad = token.clone();
                bad.replace_range(at..=at, other);
                if bad != token {
                    assert_eq!(secrets.verify(Purpose::Preferences, &bad), None, "{bad}");
                }
            }
        }
        for bad in ["", "x", "é", &"A".repeat(5000)] {
            assert_eq!(secrets.verify(Purpose::Preferences, bad), None);
        }
    }

    #[test]
    fn secrets_survive_their_file_and_hash_parts_apart() {
        let one = secrets(3);
        let again = Secrets::parse(one.text());
        assert_eq!(again.as_ref().map(|s| s.hash("x", &["a"])), Some(one.hash("x", &["a"])));
        assert_ne!(one.hash("x", &["ab", "c"]), one.hash("x", &["a", "bc"]));
        assert_ne!(one.hash("x", &["a"]), one.hash("y", &["a"]));
        assert!(Secrets::parse("engine 00").is_none());
    }
}
