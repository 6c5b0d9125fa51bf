//! The byte that stands for each value of an enum: one table for each enum.
//!
//! A byte is given once and never again. The order of an enum in the machines does not matter here, and a
//! variant without a byte does not compile.

use std::fmt;
use std::marker::PhantomData;

use restockd_core::campaign::{CampaignStatus, InDoubtPolicy, LetterState, SkipReason};
use restockd_core::directory::SuppressionReason;
use restockd_core::feedback::FeedbackKind as Report;
use restockd_core::list::{ChangeSource, MembershipStatus};
use restockd_core::outcome::FaultSource;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enum with a byte for each value.
pub(crate) trait Coded: Copy {
    /// The name of the enum, for messages.
    const WHAT: &'static str;
    fn code(self) -> u8;
    /// The value that a byte stands for.
    fn of(code: u8) -> Option<Self>;
}

/// A value that is written as its byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code<T>(pub(crate) T);

impl<T: Coded> Serialize for Code<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0.code())
    }
}

impl<'de, T: Coded> Deserialize<'de> for Code<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CodeVisitor<T>(PhantomData<T>);
        impl<T: Coded> Visitor<'_> for CodeVisitor<T> {
            type Value = Code<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a code of {}", T::WHAT)
            }

            fn visit_u8<E: Error>(self, code: u8) -> Result<Self::Value, E> {
                T::of(code)
                    .map(Code)
                    .ok_or_else(|| E::custom(format_args!("{code} is no code of {}", T::WHAT)))
            }
        }
        deserializer.deserialize_u8(CodeVisitor(PhantomData))
    }
}

macro_rules! codes {
    ($what:literal $type:ty { $($code:literal $variant:ident,)* }) => {
        impl Coded for $type {
            const WHAT: &'static str = $what;

            fn code(self) -> u8 {
                match self { $(Self::$variant => $code,)* }
            }

            fn of(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! { "the source of a change" ChangeSource {
    0 Event, 1 Api, 2 Contact, 3 Link, 4 Page, 5 Merge, 6 Erasure,
} }

codes! { "a membership's status" MembershipStatus {
    0 Joined, 1 Left, 2 Gone,
} }

codes! { "the reason of a suppression" SuppressionReason {
    0 Unsubscribed, 1 Bounced, 2 Complained, 3 Manual, 4 Erased,
} }

codes! { "a kind of feedback" Report {
    0 HardBounce, 1 SoftBounce, 2 Policy, 3 Complaint, 4 Delayed, 5 Delivered, 6 AutoReply, 7 NotSpam,
} }

codes! { "whose fault a refusal is" FaultSource {
    0 Letter, 1 Shop, 2 TestInbox,
} }

codes! { "a campaign's status" CampaignStatus {
    0 Scheduled, 1 Queued, 2 Sending, 3 Paused, 4 Sent, 5 Failed, 6 Canceled, 7 Expired,
} }

codes! { "the reason of a skip" SkipReason {
    0 Left, 1 Unsubscribed, 2 Suppressed, 3 Erased, 4 NoEmail, 5 RecentlyNotified, 6 Canceled, 7 Expired, 8 Invalid,
} }

codes! { "what becomes of letters in doubt" InDoubtPolicy {
    0 Hold, 1 Resend,
} }

/// Skipped letters have the bytes from here on, in the order of the reasons' bytes.
const SKIPPED: u8 = 16;

impl Coded for LetterState {
    const WHAT: &'static str = "a letter's state";

    fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Started => 1,
            Self::Deferred => 2,
            Self::Sent => 3,
            Self::Failed => 4,
            Self::Doubt => 5,
            Self::Dropped => 6,
            Self::Skipped(reason) => SKIPPED + reason.code(),
        }
    }

    fn of(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Pending,
            1 => Self::Started,
            2 => Self::Deferred,
            3 => Self::Sent,
            4 => Self::Failed,
            5 => Self::Doubt,
            6 => Self::Dropped,
            _ => Self::Skipped(SkipReason::of(code.checked_sub(SKIPPED)?)?),
        })
    }
}
