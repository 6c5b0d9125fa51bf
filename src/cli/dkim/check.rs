//! `restockd dkim check`: compares the records in DNS with those that receivers need.
//!
//! A key's record must have exactly our `k=` and `p=`. Which hosts SPF allows is decided by the relay, so an SPF record must
//! be there, only once, and not open to everybody. DMARC may stand at the sender's domain or above it. One line is printed
//! for each record; the exit code is 0 only when all are good.

use std::process::ExitCode;

use super::dns::Resolver;
use super::records::Wanted;

/// What was found at one name: good, or what to do.
type Finding = Result<String, String>;

/// Checks all records and prints the findings.
pub(super) fn check(wanted: &Wanted, resolver: &Resolver) -> anyhow::Result<ExitCode> {
    let mut findings = Vec::new();
    for (name, value) in &wanted.keys {
        findings.push((name.clone(), key(value, &resolver.txt(name)?)));
    }
    if wanted.keys.is_empty() {
        let none = "no key is configured, so letters go out unsigned; see restockd dkim new".to_owned();
        findings.push(("mail.dkim".to_owned(), Err(none)));
    }
    findings.push((wanted.envelope.clone(), spf(&resolver.txt(&wanted.envelope)?)));
    let (name, texts) = policies(resolver, &wanted.from)?;
    findings.push((name, dmarc(&texts)));
    if let Some(domain) = &wanted.bounces {
        let found = match resolver.mx(domain)?.as_slice() {
            [] => Err("no server takes mail for it (MX), so bounces are lost".to_owned()),
            [first, ..] => Ok(format!("bounces go to {first}")),
        };
        findings.push((domain.clone(), found));
    }
    let mut well = true;
    for (name, finding) in &findings {
        match finding {
            Ok(what) => println!("ok       {name}: {what}"),
            Err(what) => {
                well = false;
                println!("WRONG    {name}: {what}");
            }
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Compares a key's record with ours.
fn key(ours: &str, found: &[String]) -> Finding {
    let [theirs] = found else {
        return Err(match found.len() {
            0 => "there is no such record; publish it (restockd dkim records)".to_owned(),
            n => format!("there are {n} records; there must be one"),
        });
    };
    // RFC 6376, 3.6.1: without `k=` it is an RSA key
    let kind = |text| tag(text, "k").unwrap_or_else(|| "rsa".to_owned());
    let public = |text| tag(text, "p").unwrap_or_default();
    if tag(theirs, "v").is_some_and(|v| v != "DKIM1") {
        return Err("it is no DKIM1 record".to_owned());
    }
    if public(theirs).is_empty() {
        return Err("the key is revoked there (p= is empty)".to_owned());
    }
    if (kind(theirs), public(theirs)) != (kind(ours), public(ours)) {
        return Err("another key stands there; publish ours (restockd dkim records)".to_owned());
    }
    Ok("our key".to_owned())
}

/// Checks the SPF record of the envelope's domain.
fn spf(found: &[String]) -> Finding {
    let is_spf = |text: &&String| text.to_ascii_lowercase().split(' ').next() == Some("v=spf1");
    let records: Vec<&String> = found.iter().filter(is_spf).collect();
    match records.as_slice() {
        [] => Err("there is no SPF record; the relay's manual says what to put into it".to_owned()),
        [one]
            if one
                .to_ascii_lowercase()
                .split_ascii_whitespace()
                .any(|word| word == "all" || word == "+all") =>
        {
            Err(format!("SPF lets everybody send: {one}"))
        }
        [one] => Ok((*one).clone()),
        more => Err(format!(
            "there are {} SPF records; receivers take none when there is more than one",
            more.len()
        )),
    }
}

/// The DMARC records at the sender's domain or at the first domain above it that has any.
fn policies(resolver: &Resolver, domain: &str) -> anyhow::Result<(String, Vec<String>)> {
    let mut at = domain;
    loop {
        let name = format!("_dmarc.{at}");
        let texts = resolver.txt(&name)?;
        let records: Vec<String> =
            texts.into_iter().filter(|text| tag(text, "v").as_deref() == Some("DMARC1")).collect();
        match at.split_once('.') {
            Some((_, above)) if records.is_empty() && above.contains('.') => at = above,
            _ => return Ok((name, records)),
        }
    }
}

/// Checks the DMARC record of the sender's domain.
fn dmarc(found: &[String]) -> Finding {
    let [one] = found else {
        return Err(match found.len() {
            0 => "there is no DMARC record; publish it (restockd dkim records)".to_owned(),
            n => format!("there are {n} DMARC records; there must be one"),
        });
    };
    match tag(one, "p").as_deref() {
        Some("none" | "quarantine" | "reject") => Ok(one.clone()),
        _ => Err(format!("its policy (p=) is neither none, quarantine nor reject: {one}")),
    }
}

/// A tag's value without blanks.
fn tag(record: &str, name: &str) -> Option<String> {
    record.split(';').find_map(|tag| {
        let (key, value) = tag.split_once('=')?;
        (key.trim() == name).then(|| value.split_ascii_whitespace().collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_key_record_is_ours_or_it_is_said_what_is_wrong() {
        let ours = "v=DKIM1; k=rsa; p=AbC=";
        for good in ["v=DKIM1; k=rsa; p=AbC=", "p=Ab C=", "v=DKIM1;p=AbC=;t=y", "k = rsa ; p = AbC="] {
            assert!(key(ours, &texts(&[good])).is_ok(), "{good}");
        }
        for bad in ["v=DKIM1; k=ed25519; p=AbC=", "p=abc=", "p=", "", "v=DKIM2; p=AbC="] {
            assert!(key(ours, &texts(&[bad])).is_err(), "{bad}");
        }
        assert!(key(ours, &[]).is_err());
        assert!(key(ours, &texts(&[ours, ours])).is_err());
    }

    #[test]
    fn spf_is_there_once_and_not_open() {
        assert!(spf(&texts(&["x", "v=spf1 include:relay.example -all"])).is_ok());
        for bad in [
            &["x"] as &[&str],
            &["v=spf1 -all", "V=SPF1 -all"],
            &["v=spf1 +all"],
            &["v=spf1 all"],
            &["v=spf10"],
        ] {
            assert!(spf(&texts(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn dmarc_has_a_policy() {
        assert!(dmarc(&texts(&["v=DMARC1; p=none"])).is_ok());
        for bad in
            [&[] as &[&str], &["v=DMARC1"], &["v=DMARC1; p=maybe"], &["v=DMARC1; p=none", "v=DMARC1; p=none"]]
        {
            assert!(dmarc(&texts(bad)).is_err(), "{bad:?}");
        }
    }
}
