//! The token in a letter's envelope sender: when the letter bounces, the token says whose it was and of which campaign.
//!
//! ```text
//! bounce+<token>@bounces.shop.example
//!        base32, lower case [ key id | campaign u128 LE | person u32 LE | mac 12 bytes ]     53 characters
//! mac    HMAC-SHA-256 over [ 1 | key id | 3 | campaign | person ], truncated
//! ```
//!
//! Base32, because a local part has 64 bytes at most (RFC 5321, 4.5.3.1.1) and relays may change its case: letters of
//! either case are read, and 53 characters leave room for a prefix of 11.
//!
//! Invariants: nobody can make a token without the engine's key; it holds no address; it is not accepted as a link's token,
//! nor a link's as a bounce token; for one campaign and person there is one token as long as the newest key is the same. A
//! forged token could cause one suppression and no more, so a MAC of 96 bits is enough.

use data_encoding::BASE32_NOPAD;
use hmac::Mac;

use super::Secrets;
use restockd_core::{CampaignId, PersonId};

/// The byte that binds a MAC to this purpose; those of links are in [`super::purpose_byte`].
const PURPOSE: u8 = 3;
/// Bytes of the MAC at a token's end.
const MAC_BYTES: usize = 12;
/// Bytes of a whole token before base32.
const BYTES: usize = 1 + 16 + 4 + MAC_BYTES;
/// Characters of a token.
pub const BOUNCE_TOKEN_CHARS: usize = (BYTES * 8).div_ceil(5);

impl Secrets {
    /// Makes the token under which feedback on one campaign's letter to one person comes back.
    #[must_use]
    pub fn bounce_token(&self, campaign: CampaignId, person: PersonId) -> String {
        let (id, key) = match self.signing.last() {
            Some((id, key)) => (*id, key.clone()),
            None => unreachable!("secrets are only made with a signing key"),
        };
        let (campaign, person) = (campaign.0.to_le_bytes(), person.0.to_le_bytes());
        let mac = key.chain_update([1, id, PURPOSE]).chain_update(campaign).chain_update(person);
        let code = mac.finalize().into_bytes();
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(id);
        bytes.extend_from_slice(&campaign);
        bytes.extend_from_slice(&person);
        bytes.extend(code.iter().take(MAC_BYTES));
        BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
    }

    /// Reads and verifies a token, in upper or lower case.
    #[must_use]
    pub fn read_bounce_token(&self, token: &str) -> Option<(CampaignId, PersonId)> {
        if token.len() != BOUNCE_TOKEN_CHARS {
            return None;
        }
        let bytes = BASE32_NOPAD.decode(token.to_ascii_uppercase().as_bytes()).ok()?;
        let (body, code) = bytes.split_at_checked(BYTES - MAC_BYTES)?;
        let (id, named) = body.split_first()?;
        let (campaign, person) = named.split_first_chunk::<16>()?;
        let (_, key) = self.signing.iter().find(|(known, _)| known == id)?;
        let mac = key.clone().chain_update([1, *id, PURPOSE]).chain_update(named);
        mac.verify_truncated_left(code).ok()?;
        let person = u32::from_le_bytes(person.try_into().ok()?);
        Some((CampaignId(u128::from_le_bytes(*campaign)), PersonId(person)))
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::super::Purpose;
    use super::*;

    fn secrets(seed: u8) -> Secrets {
        Secrets::new(&std::array::from_fn(|i| seed.wrapping_add(i as u8)))
    }

    const OF: (CampaignId, PersonId) = (CampaignId(0x0123_4567_89ab_cdef_0011_2233_4455_6677), PersonId(7));

    #[test]
    fn a_bounce_token_names_campaign_and_person_and_fits_a_local_part() {
        let secrets = secrets(1);
        for of in [OF, (CampaignId(0), PersonId(0)), (CampaignId(u128::MAX), PersonId(u32::MAX))] {
            let token = secrets.bounce_token(of.0, of.1);
            assert_eq!(secrets.read_bounce_token(&token), Some(of));
            assert_eq!(token, secrets.bounce_token(of.0, of.1), "the same letter has the same token");
            assert_eq!(token.len(), BOUNCE_TOKEN_CHARS);
            assert!(format!("bounce+{token}").len() <= 64, "{token}");
            assert!(token.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)), "{token}");
        }
    }

    #[test]
    fn a_relay_may_change_the_case_of_a_bounce_token() {
        let secrets = secrets(1);
        let token = secrets.bounce_token(OF.0, OF.1);
        assert_eq!(secrets.read_bounce_token(&token.to_ascii_uppercase()), Some(OF));
        let mixed: String =
            token.char_indices().map(|(i, c)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c }).collect();
        assert_eq!(secrets.read_bounce_token(&mixed), Some(OF));
    }

    #[test]
    fn any_changed_character_kills_a_bounce_token() {
        let secrets = secrets(1);
        let token = secrets.bounce_token(OF.0, OF.1);
        for at in 0..token.len() {
            for other in ["a", "b", "7", "1", "=", "ü", ""] {
                let mut bad = token.clone();
                bad.replace_range(at..=at, other);
                if bad != token {
                    assert_eq!(secrets.read_bounce_token(&bad), None, "{bad}");
                }
            }
        }
        for bad in ["", "a", "ü", &"a".repeat(53), &"a".repeat(54), &"7".repeat(5000), &format!("{token} ")]
        {
            assert_eq!(secrets.read_bounce_token(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_bounce_token_is_of_one_engine_and_of_one_purpose() {
        let secrets = secrets(1);
        let token = secrets.bounce_token(OF.0, OF.1);
        assert_eq!(self::secrets(2).read_bounce_token(&token), None);
        for purpose in [Purpose::Unsubscribe, Purpose::Preferences] {
            assert_eq!(secrets.verify(purpose, &token), None);
            // a link whose list id is what follows the person in a bounce token, cut to its length
            let link = URL_SAFE_NO_PAD.decode(secrets.sign(purpose, OF.1, None)).unwrap();
            let (body, code) = link.split_at(link.len() - 16);
            let forged = [&body[1..2], &[0; 16], &body[3..7], &code[..12]].concat();
            let forged = BASE32_NOPAD.encode(&forged).to_ascii_lowercase();
            assert_eq!(secrets.read_bounce_token(&forged), None);
        }
    }

    #[test]
    fn an_older_key_still_reads_its_bounce_tokens() {
        let old = secrets(1);
        let token = old.bounce_token(OF.0, OF.1);
        let both = Secrets::parse(&format!("{}signing 2 {}\n", old.text(), "ab".repeat(32))).unwrap();
        assert_eq!(both.read_bounce_token(&token), Some(OF));
        assert_ne!(both.bounce_token(OF.0, OF.1), token);
    }
}
