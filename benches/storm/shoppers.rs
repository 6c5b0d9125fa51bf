//! The shoppers: the content of the nth request follows from the storm's seed and n alone.

use std::fmt::Write;

/// The products and people of one storm.
#[derive(Debug, Clone)]
pub(super) struct Shoppers {
    /// Distinguishes this storm's products from another's on the same engine.
    pub(super) tag: String,
    /// Distinguishes its people.
    people: String,
    /// The number of products.
    pub(super) skus: u64,
    zipf: Option<Zipf>,
}

/// Popularity by rank: the k-th product is chosen in proportion to 1 / k.
#[derive(Debug, Clone)]
struct Zipf(Vec<f64>);

impl Shoppers {
    /// Every product is equally likely.
    pub(super) fn even(tag: &str, skus: u64) -> Self {
        Self { tag: tag.to_owned(), people: tag.to_owned(), skus: skus.max(1), zipf: None }
    }

    /// A few products that everybody wants, and a long tail.
    pub(super) fn zipf(tag: &str, skus: u64) -> Self {
        let skus = skus.clamp(1, 1 << 22);
        let mut sum = 0.0;
        let sums = (1..=skus).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self { zipf: Some(Zipf(sums.collect())), ..Self::even(tag, skus) }
    }

    /// Other people, who want only the first `skus` of the same products.
    pub(super) fn strangers(&self, skus: u64) -> Self {
        Self { people: format!("{}w", self.people), ..Self::even(&self.tag, skus) }
    }

    pub(super) fn sku(&self, n: u64) -> u64 {
        let dice = mix(n);
        match &self.zipf {
            None => dice % self.skus,
            Some(Zipf(sums)) => {
                let most = sums.last().copied().unwrap_or(1.0);
                let point = (dice >> 11) as f64 / (1u64 << 53) as f64 * most;
                sums.partition_point(|sum| *sum <= point).min(sums.len() - 1) as u64
            }
        }
    }

    pub(super) fn sku_name(&self, sku: u64) -> String {
        format!("{}-{sku}", self.tag)
    }

    pub(super) fn list(&self, sku: u64) -> String {
        format!("restock-{}-{sku}", self.tag)
    }

    pub(super) fn address(&self, person: u64) -> String {
        format!("{}-{person}@shopper.example", self.people)
    }

    /// The shopper who has an address, if it is one of this storm's.
    pub(super) fn person(&self, address: &str) -> Option<u64> {
        let local = address.strip_suffix("@shopper.example")?;
        local.strip_prefix(&*self.people)?.strip_prefix('-')?.parse().ok()
    }

    /// The body of a press: about 250 bytes, as in the documentation.
    pub(super) fn press(&self, person: u64, sku: u64, key: u64) -> String {
        let mut body = String::with_capacity(320);
        self.write_press(&mut body, person, sku, key);
        body
    }

    /// Writes the same into a body that holds many.
    pub(super) fn write_press(&self, body: &mut String, person: u64, sku: u64, key: u64) {
        let (tag, people) = (&self.tag, &self.people);
        // Writing into a string cannot fail.
        let _ = write!(
            body,
            "{{\"name\":\"product.waitlisted\",\"email\":\"{people}-{person}@shopper.example\",\
             \"eventProperties\":{{\"sku\":\"{tag}-{sku}\",\"product_name\":\"Studio chair {sku}\"}},\
             \"lists\":{{\"restock-{tag}-{sku}\":true}},\"idempotencyKey\":\"waitlist-{people}-{person}-{key}\"}}"
        );
    }

    /// The body of an order, with which the shopper leaves the list.
    pub(super) fn order(&self, person: u64, sku: u64, key: u64) -> String {
        let (tag, people) = (&self.tag, &self.people);
        format!(
            "{{\"name\":\"order.completed\",\"email\":\"{people}-{person}@shopper.example\",\
             \"eventProperties\":{{\"sku\":\"{tag}-{sku}\"}},\
             \"lists\":{{\"restock-{tag}-{sku}\":false}},\"idempotencyKey\":\"order-{people}-{person}-{key}\"}}"
        )
    }

    /// The body of a restock webhook.
    pub(super) fn restock(&self, delivery: u64, sku: u64, quantity: u64) -> String {
        let tag = &self.tag;
        format!(
            "{{\"delivery_id\":\"{tag}-{delivery}\",\"type\":\"restock\",\"sku\":\"{tag}-{sku}\",\
             \"product_name\":\"Studio chair {sku}\",\"quantity\":{quantity}}}"
        )
    }
}

/// A pseudo-random number derived from another (splitmix64).
pub(super) fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_json_and_name_whom_they_are_about() {
        let shop = Shoppers::even("t1", 10);
        for body in [shop.press(7, 3, 7), shop.order(7, 3, 9), shop.restock(1, 3, 5)] {
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
        assert_eq!(shop.person(&shop.address(7)), Some(7));
        assert_eq!(shop.person("t2-7@shopper.example"), None);
    }

    #[test]
    fn a_zipf_shop_sells_its_first_product_most_and_every_product_somewhen() {
        let shop = Shoppers::zipf("t", 100);
        let mut sold = [0u32; 100];
        (0..100_000).for_each(|n| sold[shop.sku(n) as usize] += 1);
        assert!(sold[0] > 15_000 && sold[0] < 24_000, "{}", sold[0]);
        assert!(sold.iter().all(|n| *n > 0));
        assert!(sold[1] < sold[0] && sold[99] < sold[1]);
    }
}
