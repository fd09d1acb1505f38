//! `chancery certificate` and `chancery key`. What is to be revoked is shown first and only done with `--yes`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use chancery_app::{CertificateFilter, Operations, Outcome};
use chancery_domain::Timestamp;
use chancery_domain::certificates::{CertificateId, CertificateLine, parse_serial, serial_hex};
use chancery_domain::names::DomainName;
use chancery_domain::operators::OperatorName;
use chancery_domain::orders::OrderId;
use chancery_domain::revocations::{BlockedKey, BlockedKeyId, RevocationReason};
use chancery_pki::certificate::{CertificateInfo, to_pem};
use chancery_pki::csr::Csr;
use chancery_pki::pem;
use chancery_pki::public_keys::{PublicKey, sha256};
use serde_json::{Value, json};

use crate::arguments::{CertificateCommand, KeyCommand, Which, WhichKey};
use crate::keys;
use crate::operators::operations;
use crate::safety::of_filter;

pub(crate) async fn certificate(command: CertificateCommand) -> Result<()> {
    match command {
        CertificateCommand::List { which, json, place } => {
            let operations = operations(&place).await?;
            let filters = which.filters()?;
            let filters = match filters.is_empty() {
                true => vec![CertificateFilter::All],
                false => filters,
            };
            let now = operations.now();
            for filter in &filters {
                let mut after = CertificateId(0);
                loop {
                    let page = operations.certificates(filter, after).await?;
                    for line in &page {
                        print(line, now, json, None);
                    }
                    match page.last() {
                        Some(last) => after = last.id,
                        None => break,
                    }
                }
            }
        }
        CertificateCommand::Show { which, json, place } => {
            let operations = operations(&place).await?;
            let now = operations.now();
            for line in selected(&operations, &which).await? {
                show(&operations, &line, now, json).await?;
            }
        }
        CertificateCommand::Revoke {
            which,
            reason,
            yes,
            json,
            operator,
            place,
        } => {
            let operations = operations(&place).await?;
            let by = operator.name_on(&operations).await?;
            let now = operations.now();
            let asked = to_revoke(&operations, &which, reason, now).await?;
            if asked.is_empty() {
                bail!("none of these certificates is in force");
            }
            match yes {
                true => revoke(&operations, &asked, reason, &by, json).await?,
                false => preview(&operations, &asked, reason, now, json).await?,
            }
        }
    }
    Ok(())
}

/// Revokes what was asked for, then, where the key is compromised, every other certificate with it.
async fn revoke(
    operations: &Operations,
    asked: &[CertificateLine],
    reason: RevocationReason,
    by: &OperatorName,
    json: bool,
) -> Result<()> {
    let others = others_with_key(operations, asked, reason).await?;
    let mut failed = 0;
    for line in asked.iter().chain(&others) {
        match operations.revoke_certificate(line.id, reason, by).await {
            Ok(outcome) => {
                let word = match &outcome {
                    Outcome::Revoked(_) => "revoked",
                    Outcome::RevokedBefore(_) => "revoked before",
                    Outcome::Ended(_) => "ended",
                };
                print(outcome.certificate(), operations.now(), json, Some(word));
            }
            Err(error) => {
                eprintln!("certificate {}: {error}", serial_hex(&line.serial));
                failed += 1;
            }
        }
    }
    if reason.blocks_key() {
        for key in keys_of(asked) {
            if let Some(key) = operations.blocked_key(&key).await? {
                operations.revoke_key(&key).await?;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} certificates were not revoked; ask again");
    }
    if !json {
        println!(
            "a running server signs the revocation list at once, a stopped one when it starts"
        );
    }
    Ok(())
}

async fn preview(
    operations: &Operations,
    asked: &[CertificateLine],
    reason: RevocationReason,
    now: Timestamp,
    json: bool,
) -> Result<()> {
    for line in asked {
        print(line, now, json, Some("to be revoked"));
    }
    let others = others_with_key(operations, asked, reason).await?;
    for line in &others {
        print(line, now, json, Some("to be revoked, has the same key"));
    }
    let count = asked.len() + others.len();
    eprintln!("{count} to be revoked as {reason}; nothing was done: add --yes to do it");
    Ok(())
}

/// The other certificates in force with a key that is told to be compromised.
async fn others_with_key(
    operations: &Operations,
    asked: &[CertificateLine],
    reason: RevocationReason,
) -> Result<Vec<CertificateLine>> {
    let mut others = BTreeMap::new();
    if reason.blocks_key() {
        let now = operations.now();
        for key in keys_of(asked) {
            let filter = CertificateFilter::Key(key);
            for line in all(operations, &filter).await? {
                let is_asked = asked.iter().any(|asked| asked.id == line.id);
                if line.is_in_force(now) && !is_asked {
                    others.insert(line.id, line);
                }
            }
        }
    }
    Ok(others.into_values().collect())
}

fn keys_of(lines: &[CertificateLine]) -> Vec<[u8; 32]> {
    let keys = lines.iter().map(|line| &line.spki_sha256[..]);
    let mut keys: Vec<[u8; 32]> = keys.filter_map(|key| key.try_into().ok()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Every certificate that is named, once.
async fn selected(operations: &Operations, which: &Which) -> Result<Vec<CertificateLine>> {
    let found = by_filter(operations, which).await?;
    Ok(once(found.into_iter().flat_map(|(_, lines)| lines)))
}

/// Every certificate that is to be revoked, once.
async fn to_revoke(
    operations: &Operations,
    which: &Which,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<Vec<CertificateLine>> {
    let found = by_filter(operations, which).await?;
    let meant = |(filter, lines)| meant_by(&filter, lines, reason, now);
    Ok(once(found.into_iter().flat_map(meant)))
}

/// Those of a filter's certificates that are meant when it is said to revoke them: those in force; where there are
/// none, what is revoked is told again, so that asking twice is answered the same.
///
/// What is superseded and revoked has a key of its own, which is not called compromised by who names an order or a
/// host: such a certificate is meant where itself or its key is named.
fn meant_by(
    filter: &CertificateFilter,
    mut lines: Vec<CertificateLine>,
    reason: RevocationReason,
    now: Timestamp,
) -> Vec<CertificateLine> {
    lines.retain(|line| now <= line.validity.not_after);
    let is_any_in_force = lines.iter().any(|line| line.is_in_force(now));
    match filter {
        CertificateFilter::Serial(_) => {}
        CertificateFilter::Key(_) if reason.blocks_key() => {}
        _ if is_any_in_force => lines.retain(|line| line.is_in_force(now)),
        CertificateFilter::Order(_) => {
            let last = lines.into_iter().max_by_key(|line| line.signed_at);
            lines = last.into_iter().collect();
        }
        CertificateFilter::Name(_) if reason.blocks_key() => lines.retain(|line| {
            let revocation = line.revocation.as_ref();
            revocation.is_some_and(|revocation| revocation.reason.blocks_key())
        }),
        CertificateFilter::Key(_) | CertificateFilter::Name(_) | CertificateFilter::All => {}
    }
    lines
}

fn once(lines: impl Iterator<Item = CertificateLine>) -> Vec<CertificateLine> {
    let found: BTreeMap<CertificateId, CertificateLine> =
        lines.map(|line| (line.id, line)).collect();
    found.into_values().collect()
}

/// What was named, each with its certificates.
async fn by_filter(
    operations: &Operations,
    which: &Which,
) -> Result<Vec<(CertificateFilter, Vec<CertificateLine>)>> {
    let filters = which.filters()?;
    if filters.is_empty() {
        bail!("which? say --order, --serial, --key, --name or --file");
    }
    let mut found = Vec::new();
    for filter in filters {
        let lines = all(operations, &filter).await?;
        if lines.is_empty() && !of_filter(operations, &filter).await?.is_empty() {
            bail!(
                "the database has no certificate {}, since it was restored from a backup; `chancery lost-certificate \
                 revoke` takes the same flags for those it lost",
                described(&filter)
            );
        }
        if lines.is_empty() {
            bail!("there is no certificate {}", described(&filter));
        }
        found.push((filter, lines));
    }
    Ok(found)
}

async fn all(operations: &Operations, filter: &CertificateFilter) -> Result<Vec<CertificateLine>> {
    let (mut lines, mut after) = (Vec::new(), CertificateId(0));
    loop {
        let page = operations.certificates(filter, after).await?;
        match page.last() {
            Some(last) => after = last.id,
            None => return Ok(lines),
        }
        lines.extend(page);
    }
}

pub(crate) fn described(filter: &CertificateFilter) -> String {
    match filter {
        CertificateFilter::Order(id) => format!("of order {id}"),
        CertificateFilter::Serial(serial) => {
            format!("with the serial number {}", serial_hex(serial))
        }
        CertificateFilter::Key(key) => format!("with the key {}", hex(key)),
        CertificateFilter::Name(name) => format!("for {name}"),
        CertificateFilter::All => "at all".to_owned(),
    }
}

impl Which {
    pub(crate) fn filters(&self) -> Result<Vec<CertificateFilter>> {
        let mut filters = Vec::new();
        filters.extend(
            self.order
                .iter()
                .map(|id| CertificateFilter::Order(OrderId(*id))),
        );
        for text in &self.serial {
            filters.push(of_serial(text).context("--serial")?);
        }
        for text in &self.key {
            filters.push(CertificateFilter::Key(digest(text).context("--key")?));
        }
        for text in &self.name {
            filters.push(of_name(text).context("--name")?);
        }
        if let Some(file) = &self.file {
            for (number, line) in (1..).zip(read(file)?.lines()) {
                let line = line.split('#').next().unwrap_or_default().trim();
                if !line.is_empty() {
                    let place = || format!("{}, line {number}", file.display());
                    filters.push(of_line(line).with_context(place)?);
                }
            }
        }
        Ok(filters)
    }
}

/// A line of a file: a serial number alone, or what it is and what it says.
fn of_line(line: &str) -> Result<CertificateFilter> {
    match line.split_once(char::is_whitespace) {
        Some(("order", id)) => Ok(CertificateFilter::Order(OrderId(id.trim().parse()?))),
        Some(("key", key)) => Ok(CertificateFilter::Key(digest(key)?)),
        Some(("name", name)) => of_name(name),
        Some(("serial", serial)) => of_serial(serial),
        Some(_) | None => of_serial(line),
    }
}

fn of_serial(text: &str) -> Result<CertificateFilter> {
    let serial =
        parse_serial(text).ok_or_else(|| anyhow!("{text} is no serial number in hexadecimal"))?;
    Ok(CertificateFilter::Serial(serial))
}

fn of_name(text: &str) -> Result<CertificateFilter> {
    Ok(CertificateFilter::Name(DomainName::parse(text)?))
}

/// A SHA-256 in hexadecimal, with or without colons.
fn digest(text: &str) -> Result<[u8; 32]> {
    let digits: String = text.trim().chars().filter(|c| *c != ':').collect();
    let fault = || anyhow!("{text} is no SHA-256 in hexadecimal");
    if digits.len() != 64 || !digits.is_ascii() {
        return Err(fault());
    }
    let mut octets = [0; 32];
    for (at, octet) in octets.iter_mut().enumerate() {
        *octet = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).map_err(|_| fault())?;
    }
    Ok(octets)
}

fn state(line: &CertificateLine, now: Timestamp) -> &'static str {
    match &line.revocation {
        Some(_) => "revoked",
        None if line.is_in_force(now) => "in force",
        None => "ended",
    }
}

fn line_json(line: &CertificateLine, now: Timestamp) -> Value {
    let names: Vec<&str> = line.names.iter().map(DomainName::as_str).collect();
    let revocation = line.revocation.as_ref().map(|revocation| {
        json!({
            "at": revocation.at.to_string(),
            "reason": revocation.reason.name(),
            "reasonCode": revocation.reason.code(),
            "by": revocation.by.to_string(),
            "askedAt": revocation.asked_at.to_string(),
            "dueAt": revocation.due_at.to_string(),
        })
    });
    json!({
        "certificateId": line.id.0,
        "serial": serial_hex(&line.serial),
        "orderId": line.order.0,
        "resellerId": line.reseller.0,
        "names": names,
        "key": hex(&line.spki_sha256),
        "notBefore": line.validity.not_before.to_string(),
        "notAfter": line.validity.not_after.to_string(),
        "signedAt": line.signed_at.to_string(),
        "state": state(line, now),
        "revocation": revocation,
    })
}

fn print(line: &CertificateLine, now: Timestamp, json: bool, outcome: Option<&str>) {
    if json {
        let mut told = line_json(line, now);
        if let Some(outcome) = outcome {
            told["outcome"] = json!(outcome);
        }
        println!("{told}");
        return;
    }
    let (serial, order, reseller) = (serial_hex(&line.serial), line.order, line.reseller);
    let name = line.names.first().map_or("", DomainName::as_str);
    let (until, state) = (line.validity.not_after, state(line, now));
    let reason = line.revocation.as_ref().map(|revocation| {
        let (at, due) = (revocation.at, revocation.due_at);
        format!(
            " {at} by {} ({}), due by {due}",
            revocation.by, revocation.reason
        )
    });
    let reason = reason.unwrap_or_default();
    let outcome = outcome
        .map(|outcome| format!("  {outcome}"))
        .unwrap_or_default();
    println!(
        "{serial}  order {order}  reseller {reseller}  {name}  until {until}  {state}{reason}{outcome}"
    );
}

async fn show(
    operations: &Operations,
    line: &CertificateLine,
    now: Timestamp,
    json: bool,
) -> Result<()> {
    let certificate = operations.certificate(line.id).await?;
    let pem = certificate.der().map(to_pem);
    if json {
        let mut told = line_json(line, now);
        told["pem"] = json!(pem);
        println!("{told}");
        return Ok(());
    }
    print(line, now, false, None);
    println!("  key          {}", hex(&line.spki_sha256));
    println!("  signed       {}", line.signed_at);
    for name in &line.names {
        println!("  name         {name}");
    }
    if let Some(revocation) = &line.revocation {
        println!("  asked for    {}", revocation.asked_at);
        println!("  due by       {}", revocation.due_at);
    }
    print!("{}", pem.unwrap_or_default());
    Ok(())
}

pub(crate) async fn key(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::Rotate(flags) => keys::rotate(flags).await?,
        KeyCommand::Block {
            key,
            note,
            yes,
            json,
            operator,
            place,
        } => {
            let digest = key.digest()?;
            let operations = operations(&place).await?;
            let by = operator.name_on(&operations).await?;
            let now = operations.now();
            let mut in_force = all(&operations, &CertificateFilter::Key(digest)).await?;
            in_force.retain(|line| line.is_in_force(now));
            if !yes {
                for line in &in_force {
                    print(line, now, json, Some("to be revoked"));
                }
                let count = in_force.len();
                let key = hex(&digest);
                eprintln!(
                    "key {key} to be blocked for ever, {count} certificates to be revoked; nothing was done: add --yes to do it"
                );
                return Ok(());
            }
            let done = operations.block_key(digest, &by, note).await?;
            if json {
                let mut told = key_json(&done.key);
                told["isNew"] = json!(done.is_new);
                told["revoked"] = json!(done.revoked);
                println!("{told}");
            } else {
                print_key(&done.key);
                let before = if done.is_new { "" } else { " before" };
                println!("blocked{before}; {} certificates revoked", done.revoked);
            }
        }
        KeyCommand::List { json, place } => {
            let operations = operations(&place).await?;
            let mut after = BlockedKeyId(0);
            loop {
                let page = operations.blocked_keys(after).await?;
                for key in &page {
                    match json {
                        true => println!("{}", key_json(key)),
                        false => print_key(key),
                    }
                }
                match page.last() {
                    Some(last) => after = last.id,
                    None => break,
                }
            }
        }
    }
    Ok(())
}

fn key_json(key: &BlockedKey) -> Value {
    json!({
        "key": hex(&key.spki_sha256),
        "by": key.by.to_string(),
        "note": key.note,
        "blockedAt": key.at.to_string(),
    })
}

fn print_key(key: &BlockedKey) {
    let (hash, note) = (hex(&key.spki_sha256), key.note.as_deref());
    let note = note.map(|note| format!("  {note}")).unwrap_or_default();
    println!("{hash}  blocked {} by {}{note}", key.at, key.by);
}

impl WhichKey {
    fn digest(&self) -> Result<[u8; 32]> {
        if let Some(text) = &self.sha256 {
            return digest(text).context("--sha256");
        }
        if let Some(file) = &self.csr {
            return Ok(Csr::parse(&read(file)?)?.spki_sha256);
        }
        let spki = match (&self.certificate, &self.public_key) {
            (Some(file), _) => {
                let der = pem::decode(&read(file)?, &["CERTIFICATE"])?;
                CertificateInfo::parse(&der)?.spki_der
            }
            (None, Some(file)) => pem::decode(&read(file)?, &["PUBLIC KEY"])?,
            (None, None) => bail!("which? say --certificate, --csr, --public-key or --sha256"),
        };
        // In the form in which keys of ours are hashed, where it is one that could be certified.
        let key = PublicKey::parse(&spki);
        Ok(sha256(key.as_ref().map_or(&spki, |key| &key.spki_der)))
    }
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
