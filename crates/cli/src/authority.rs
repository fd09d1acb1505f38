//! `chancery ca`: what the embedded CA shows of itself, and its revocation. It needs the database and no key.

use anyhow::{Context, Result};
use chancery_app::{CA_REVOCATION_REASONS, HeldCertificate, IssuingCaReport, Operations};
use chancery_domain::names::DomainName;
use chancery_pki::certificate::{self, CertificateInfo};
use chancery_pki::public_keys::sha256;
use serde_json::json;

use crate::arguments::{CaCommand, CaRevokeFlags, Place};

/// Certificates that are read at once.
const PAGE: i64 = 500;

pub(crate) async fn ca(command: CaCommand) -> Result<()> {
    match command {
        CaCommand::Show { place } => {
            let operations = operations(&place).await?;
            show("Root", &root(&operations).await?)?;
            let issuing = operations.issuing_cas().await?;
            let last = issuing.len();
            for (at, ca) in (1..).zip(&issuing) {
                let (number, issuer) = (ca.number, &ca.issuer);
                match &ca.revoked {
                    Some(revoked) => {
                        let (at, reason) = (revoked.revoked_at, reason_name(revoked.reason));
                        let title =
                            format!("Issuing CA {number}, {issuer}, revoked {at} ({reason})");
                        show(&title, &ca.certificate)?;
                    }
                    None if at == last => {
                        show(
                            &format!("Issuing CA {number}, {issuer}, which signs"),
                            &ca.certificate,
                        )?;
                    }
                    None => show(&format!("Issuing CA {number}, {issuer}"), &ca.certificate)?,
                }
            }
        }
        CaCommand::ExportRoot { place } => {
            let operations = operations(&place).await?;
            print!("{}", certificate::to_pem(&root(&operations).await?));
        }
        CaCommand::Certificates { ca, json, place } => {
            let operations = operations(&place).await?;
            let ca = find(&operations, &ca).await?;
            each_certificate(&operations, &ca, |held| match json {
                true => println!("{}", as_json(held)),
                false => println!("{}", line(held)),
            })
            .await?;
        }
        CaCommand::Revoke(flags) => revoke(flags).await?,
    }
    Ok(())
}

async fn revoke(flags: CaRevokeFlags) -> Result<()> {
    let operations = operations(&flags.place).await?;
    let ca = find(&operations, &flags.ca).await?;
    let mut count = 0_usize;
    each_certificate(&operations, &ca, |_| count += 1).await?;
    let (number, issuer, reason) = (ca.number, &ca.issuer, reason_name(flags.reason));
    println!("Issuing CA {number}, {issuer}: {count} certificates in force, to be replaced");
    println!("(`chancery ca certificates --ca {issuer}` lists them)");
    if !flags.yes {
        println!(
            "Nothing was changed. Say --yes to revoke it for {reason}; this cannot be taken back."
        );
        return Ok(());
    }
    let by = flags.operator.name_on(&operations).await?;
    match operations.revoke_ca(&ca, flags.reason, by.as_str()).await? {
        Some(at) => println!(
            "revoked {at} for {reason}. A running server puts it on the root's list and makes a successor within a \
             minute; orders whose key may be used again get another certificate by themselves, and the people behind \
             every order are told."
        ),
        None => println!("it was revoked before"),
    }
    Ok(())
}

async fn each_certificate(
    operations: &Operations,
    ca: &IssuingCaReport,
    mut visit: impl FnMut(&HeldCertificate),
) -> Result<()> {
    let mut after = Vec::new();
    loop {
        let found = operations.ca_certificates(&ca.issuer, &after, PAGE).await?;
        found.iter().for_each(&mut visit);
        match found.last() {
            Some(last) => after.clone_from(&last.serial),
            None => return Ok(()),
        }
    }
}

async fn operations(place: &Place) -> Result<Operations> {
    Ok(chancery_server::operations(&place.config()?).await?)
}

async fn root(operations: &Operations) -> Result<Vec<u8>> {
    let found = operations.authority_certificates().await?;
    let found = found.context("there is no CA yet: the first start of the server makes it")?;
    Ok(found.root)
}

/// An issuing CA by its id or its number.
async fn find(operations: &Operations, asked: &str) -> Result<IssuingCaReport> {
    let mut all = operations.issuing_cas().await?.into_iter();
    let found = all.find(|ca| ca.issuer == asked || ca.number.to_string() == asked);
    found.with_context(|| {
        format!("--ca: there is no issuing CA {asked}; `chancery ca show` lists them")
    })
}

fn reason_name(reason: u8) -> &'static str {
    let mut reasons = CA_REVOCATION_REASONS.iter();
    let found = reasons.find(|(_, number)| *number == reason);
    found.map_or("unspecified", |(name, _)| name)
}

fn line(held: &HeldCertificate) -> String {
    let names: Vec<&str> = held.names.iter().map(DomainName::as_str).collect();
    let superseded = if held.is_current { "" } else { "  superseded" };
    format!(
        "{}  order {}  {}  until {}{superseded}",
        hex(&held.serial),
        held.order,
        names.join(", "),
        held.not_after
    )
}

fn as_json(held: &HeldCertificate) -> serde_json::Value {
    json!({
        "serial": hex(&held.serial), "certificateId": held.id.0, "orderId": held.order.0,
        "resellerId": held.reseller.0, "names": held.names, "notAfter": held.not_after.to_string(),
        "current": held.is_current,
    })
}

fn show(title: &str, der: &[u8]) -> Result<()> {
    let info = CertificateInfo::parse(der)?;
    println!("{title}");
    println!("  serial       {}", hex(&info.serial));
    println!("  valid from   {}", info.not_before);
    println!("  valid until  {}", info.not_after);
    println!("  SHA-256      {}", hex(&sha256(der)));
    print!("{}", certificate::to_pem(der));
    Ok(())
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
