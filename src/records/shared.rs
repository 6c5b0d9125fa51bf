//! Parts that occur in more than one kind of record or page.

use restockd_core::outcome::{Diagnostic, FaultSource};
use restockd_core::shaping::RateCut;
use restockd_core::status::Enhanced;
use restockd_core::{Millis, ProductDetails, Rate};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::code::Code;

/// A short sequence; a few items need no allocation while a record is made.
pub(crate) type Few<T> = SmallVec<[T; 4]>;

/// An optional text as the machines hold it.
pub(crate) fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ProductDetailsV2<'a> {
    product_url: Option<&'a str>,
    image_url: Option<&'a str>,
    price: Option<&'a str>,
}

impl<'a> ProductDetailsV2<'a> {
    /// `None` if there are no details.
    pub(crate) fn of(details: &'a ProductDetails) -> Option<Self> {
        let ProductDetails { product_url, image_url, price } = details;
        (!details.is_empty()).then_some(Self {
            product_url: product_url.as_deref(),
            image_url: image_url.as_deref(),
            price: price.as_deref(),
        })
    }

    pub(crate) fn details(self) -> ProductDetails {
        ProductDetails {
            product_url: owned(self.product_url),
            image_url: owned(self.image_url),
            price: owned(self.price),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RateV2 {
    letters: u32,
    period_ms: u32,
    burst: u32,
}

impl From<Rate> for RateV2 {
    fn from(Rate { letters, period_ms, burst }: Rate) -> Self {
        Self { letters, period_ms, burst }
    }
}

impl From<RateV2> for Rate {
    fn from(RateV2 { letters, period_ms, burst }: RateV2) -> Self {
        Self { letters, period_ms, burst }
    }
}

/// A cut of a provider's rate: letters a minute, and times in milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CutV2 {
    rate: u32,
    target: u32,
    until: u64,
    pause_ms: u32,
    stepped: u64,
}

impl From<RateCut> for CutV2 {
    fn from(cut: RateCut) -> Self {
        let RateCut { rate, target, until, pause_ms, stepped } = cut;
        Self { rate, target, until: until.0, pause_ms, stepped: stepped.0 }
    }
}

impl From<CutV2> for RateCut {
    fn from(cut: CutV2) -> Self {
        let CutV2 { rate, target, until, pause_ms, stepped } = cut;
        Self { rate, target, until: Millis(until), pause_ms, stepped: Millis(stepped) }
    }
}

/// An enhanced status code, as its three numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StatusV2(u8, u16, u16);

impl From<Enhanced> for StatusV2 {
    fn from(Enhanced { class, subject, detail }: Enhanced) -> Self {
        Self(class, subject, detail)
    }
}

impl From<StatusV2> for Enhanced {
    fn from(StatusV2(class, subject, detail): StatusV2) -> Self {
        Self { class, subject, detail }
    }
}

/// What a server or the engine said about a letter.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DiagnosticV2<'a> {
    context: Option<&'a str>,
    code: Option<u16>,
    status: Option<StatusV2>,
    words: &'a str,
    fault: Code<FaultSource>,
}

impl<'a> From<&'a Diagnostic> for DiagnosticV2<'a> {
    fn from(said: &'a Diagnostic) -> Self {
        Self {
            context: said.context.as_deref(),
            code: said.code,
            status: said.status.map(StatusV2::from),
            words: &said.words,
            fault: Code(said.fault),
        }
    }
}

impl From<DiagnosticV2<'_>> for Diagnostic {
    fn from(said: DiagnosticV2<'_>) -> Self {
        Self {
            context: owned(said.context),
            code: said.code,
            status: said.status.map(Enhanced::from),
            words: said.words.to_owned(),
            fault: said.fault.0,
        }
    }
}
