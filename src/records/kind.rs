//! The table of kinds: number, name, owner, and the version that this build writes.
//!
//! ```text
//! 0x10 …  records of lists        0x80 …  records of campaigns
//! 0x40 …  records of the directory 0xc0 … pages of snapshots
//! ```
//!
//! A number is given once and never again, even after its kind is gone. Versions begin at `FIRST`; version
//! 1 and the kinds 1 to 3 were never released.

use crate::error::RecordError;

/// The first version of every kind.
pub(crate) const FIRST: u8 = 2;

/// Kinds of builds from before the first release.
const UNRELEASED: std::ops::RangeInclusive<u8> = 0..=3;

/// Whose records a kind belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KindOwner {
    List,
    Directory,
    Campaigns,
    /// None: it is a page of a snapshot.
    Page,
}

macro_rules! kinds {
    ($($number:literal $kind:ident $name:literal $version:literal $owner:ident,)*) => {
        /// The kinds of records and pages.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "the name of each stands beside it in the table")]
        pub enum Kind { $($kind = $number,)* }

        impl Kind {
            /// Every kind, by number.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The kind with a number.
            #[must_use]
            pub fn of(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$kind),)* _ => None }
            }

            /// Its name, for messages.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The version that this build writes, which is also the highest that it reads.
            #[must_use]
            pub fn version(self) -> u8 {
                match self { $(Self::$kind => $version,)* }
            }

            /// Whose records it belongs to.
            #[must_use]
            pub fn owner(self) -> KindOwner {
                match self { $(Self::$kind => KindOwner::$owner,)* }
            }
        }
    };
}

kinds! {
    0x10 ListJoined "list.joined" 2 List,
    0x11 ListLeft "list.left" 2 List,
    0x12 ListMoved "list.moved" 2 List,
    0x13 ListNamed "list.named" 2 List,
    0x14 ListRestocked "list.restocked" 2 List,
    0x15 ListStock "list.stock" 2 List,
    0x16 ListBegun "list.begun" 2 List,
    0x17 ListInvited "list.invited" 2 List,
    0x18 ListClosed "list.closed" 2 List,
    0x19 ListForgotten "list.forgotten" 2 List,

    0x40 DirectoryEvent "directory.event" 2 Directory,
    0x41 DirectoryMerged "directory.merged" 2 Directory,
    0x42 DirectoryErased "directory.erased" 2 Directory,
    0x43 DirectoryUnsubscribed "directory.unsubscribed" 2 Directory,
    0x44 DirectorySuppressed "directory.suppressed" 2 Directory,
    0x45 DirectoryReleased "directory.released" 2 Directory,
    0x46 DirectoryKeyMinted "directory.key-minted" 2 Directory,
    0x47 DirectoryKeyRevoked "directory.key-revoked" 2 Directory,
    0x48 DirectoryPublicKeyMinted "directory.public-key-minted" 2 Directory,
    0x49 DirectoryConfirmationMailed "directory.confirmation-mailed" 2 Directory,
    0x4a DirectoryFeedback "directory.feedback" 2 Directory,

    0x80 CampaignScheduled "campaign.scheduled" 2 Campaigns,
    0x81 CampaignOpened "campaign.opened" 2 Campaigns,
    0x82 CampaignReopened "campaign.reopened" 2 Campaigns,
    0x83 CampaignPaused "campaign.paused" 2 Campaigns,
    0x84 CampaignResumed "campaign.resumed" 2 Campaigns,
    0x85 CampaignCanceled "campaign.canceled" 2 Campaigns,
    0x86 CampaignExpired "campaign.expired" 2 Campaigns,
    0x87 CampaignFailed "campaign.failed" 2 Campaigns,
    0x88 CampaignStarted "campaign.started" 2 Campaigns,
    0x89 CampaignUnstarted "campaign.unstarted" 2 Campaigns,
    0x8a CampaignSettled "campaign.settled" 2 Campaigns,
    0x8b CampaignDeferred "campaign.deferred" 2 Campaigns,
    0x8c CampaignDropped "campaign.dropped" 2 Campaigns,
    0x8d CampaignClosed "campaign.closed" 2 Campaigns,
    0x8e CampaignNoted "campaign.noted" 2 Campaigns,
    0x8f CampaignPaced "campaign.paced" 2 Campaigns,
    0x90 CampaignSwept "campaign.swept" 2 Campaigns,

    0xc0 PageDirectory "page.directory" 2 Page,
    0xc1 PageListNames "page.list-names" 2 Page,
    0xc2 PageContacts "page.contacts" 2 Page,
    0xc3 PageEventKeys "page.event-keys" 2 Page,
    0xc4 PageApiKeys "page.api-keys" 2 Page,
    0xc5 PageOpenEvents "page.open-events" 2 Page,
    0xc6 PageSuppressed "page.suppressed" 2 Page,
    0xc7 PageConsentWords "page.consent-words" 2 Page,
    0xc8 PageConsent "page.consent" 2 Page,
    0xc9 PageConfirmations "page.confirmations" 2 Page,
    0xca PagePublicKeys "page.public-keys" 2 Page,
    0xcb PageFeedback "page.feedback" 2 Page,
    0xcc PageCampaigns "page.campaigns" 2 Page,
    0xcd PageCampaign "page.campaign" 2 Page,
    0xce PageLetters "page.letters" 2 Page,
    0xcf PageProviders "page.providers" 2 Page,
    0xd0 PageLists "page.lists" 2 Page,
}

impl Kind {
    /// The kind with a number, if this build reads that version of it.
    ///
    /// # Errors
    /// [`RecordError::Newer`] or [`RecordError::Older`] for a kind or version of another build.
    pub fn known(number: u8, version: u8) -> Result<Self, RecordError> {
        let kind = Self::of(number);
        let what = || kind.map_or_else(|| format!("kind {number}"), |kind| kind.name().to_owned());
        if version < FIRST || UNRELEASED.contains(&number) {
            return Err(RecordError::Older { what: what(), found: version, reads: FIRST });
        }
        match kind {
            Some(kind) if version <= kind.version() => Ok(kind),
            _ => Err(RecordError::Newer { what: what(), found: version, reads: kind.map(Self::version) }),
        }
    }
}
