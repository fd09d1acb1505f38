//! `chancery restore-check`, `lost-certificate`, `database` and `clock`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use chancery_app::{CertificateFilter, LostCertificate, LostFilter, Operations, RestoreReport};
use chancery_domain::operators::OperatorName;
use chancery_domain::revocations::RevocationReason;
use serde_json::json;

use crate::arguments::{ClockCommand, DatabaseCommand, LostCommand, Place, RestoreFlags, Which};
use crate::authority::hex;
use crate::certificates::described;

async fn operations(place: &Place) -> Result<Operations> {
    Ok(chancery_server::operations(&place.config()?).await?)
}

/// Says what a database lacks that was restored from a backup, and with `--yes` puts back what is known of it.
pub(crate) async fn restore_check(flags: RestoreFlags) -> Result<()> {
    let config = flags.place.config()?;
    // No server may hand out numbers meanwhile. On PostgreSQL that is for the operator to see to.
    let _lock = match flags.yes {
        true => chancery_server::lock_file(&config)?,
        false => None,
    };
    let operations = chancery_server::operations_after_restore(&config).await?;
    let records = config.record_folder();
    let report = operations.restore_report(&records, flags.skip).await?;
    print_report(&report);
    if !report.is_needed() && flags.skip.is_none() {
        println!(
            "\nThe database has all that the record beside it knows: there is nothing to do. If the record in {} was \
             restored together with the database, neither knows what came after: say --skip N, more numbers than can \
             have been given out since.",
            records.display()
        );
        return Ok(());
    }
    if !flags.yes {
        println!(
            "\nNothing was changed. Stop all servers on the database, and say --yes to do it; a server serves again \
             afterwards."
        );
        return Ok(());
    }
    let by = flags.operator.name_on(&operations).await?;
    operations.put_back(&records, &report, by.as_str()).await?;
    println!(
        "\nDone. A server can be started; `chancery lost-certificate list` shows what was put on record."
    );
    Ok(())
}

fn print_report(report: &RestoreReport) {
    match (report.has_record, report.signs.is_empty()) {
        (false, _) => println!(
            "There is no record of this database here. If the database was restored from a backup, nobody can \
             tell what came after it: which numbers people were given, which certificates were signed or revoked. \
             Numbers are skipped by a wide gap (--skip says otherwise). Certificates that were signed since the \
             backup stay valid until they expire; they cannot be found or revoked from here. If the record of \
             another machine of this installation is left, run this there, too."
        ),
        (true, true) => println!("Nothing shows that the database was restored from a backup."),
        (true, false) => {
            println!("The database was restored from a backup, or lost what it had:");
            for sign in &report.signs {
                println!("  {sign}");
            }
        }
    }
    println!("\nNumbers         by the database       by the record          go on at");
    for (name, number) in &report.numbers {
        let recorded = number
            .recorded
            .map_or("unknown".to_owned(), |next| next.to_string());
        println!(
            "  {name:12} {:>17} {recorded:>19} {:>17}",
            number.stored, number.next
        );
    }
    print_losses(report);
    if report.has_record && !report.signs.is_empty() {
        println!(
            "\nOrders, payments, contacts and credentials that came after the backup are gone: the certificates above \
             tell which orders had been given one."
        );
    }
}

fn print_losses(report: &RestoreReport) {
    for ca in &report.cas {
        println!(
            "\nIssuing CA {}, made {}, is not in the database, and is put there.",
            ca.issuer, ca.created_at
        );
    }
    for ca in &report.revoked_cas {
        println!("\nIssuing CA {} was revoked, and is again.", ca.issuer);
    }
    for issuer in &report.unknown_cas {
        println!(
            "\nIssuing CA {issuer} is neither in the database nor on record: what it signed cannot be put on a \
             revocation list from here."
        );
    }
    if !report.lost.is_empty() {
        println!("\nCertificates that the database does not have; they are put on record:");
        for lost in &report.lost {
            println!("  {}", line(lost));
        }
    }
    if !report.revoked.is_empty() {
        println!("\nCertificates that were revoked, and are again:");
        for (id, entry) in &report.revoked {
            println!(
                "  {}  certificate {id}, revoked {}",
                hex(&entry.serial),
                entry.at
            );
        }
    }
    if !report.blocked.is_empty() {
        println!("\nKeys that were blocked, and are again:");
        for block in &report.blocked {
            let key = hex(&block.spki_sha256);
            println!("  {key}  {} by {}", block.at, block.by);
        }
    }
    if !report.signed_before.is_empty() {
        let count = report.signed_before.len();
        println!(
            "\n{count} certificates under way were signed before; they get new serial numbers."
        );
    }
}

fn line(lost: &LostCertificate) -> String {
    let order = lost
        .order
        .map_or("order unknown".to_owned(), |order| format!("order {order}"));
    let names = match lost.names.is_empty() {
        true => "names unknown".to_owned(),
        false => lost.names.join(", "),
    };
    let revoked = lost.revocation.as_ref().map(|told| {
        format!(
            "  revoked {} by {} ({}), due by {}",
            told.at, told.by, told.reason, told.due_at
        )
    });
    let revoked = revoked.unwrap_or_default();
    let (serial, end) = (hex(&lost.serial), lost.not_after);
    format!("{serial}  {order}  {names}  until {end}{revoked}")
}

pub(crate) async fn lost_certificate(command: LostCommand) -> Result<()> {
    match command {
        LostCommand::List { json, place } => {
            let operations = operations(&place).await?;
            for lost in operations.lost_certificates(&LostFilter::All).await? {
                print(&lost, json, None);
            }
        }
        LostCommand::Revoke {
            which,
            reason,
            yes,
            json,
            operator,
            place,
        } => {
            let operations = operations(&place).await?;
            let found = selected(&operations, &which).await?;
            if yes {
                let by = operator.name_on(&operations).await?;
                return revoke(&operations, &found, reason, &by, json).await;
            }
            for lost in &found {
                print(lost, json, Some("to be revoked"));
            }
            let count = found.len();
            eprintln!("{count} to be revoked as {reason}; nothing was done: add --yes to do it");
        }
    }
    Ok(())
}

async fn revoke(
    operations: &Operations,
    found: &[LostCertificate],
    reason: RevocationReason,
    by: &OperatorName,
    json: bool,
) -> Result<()> {
    let mut unlisted = BTreeSet::new();
    for lost in found {
        let done = operations.revoke_lost(lost, reason, by).await?;
        let word = if done.is_new {
            "revoked"
        } else {
            "revoked before"
        };
        print(&done.lost, json, Some(word));
        if !done.is_listed {
            unlisted.insert(done.lost.issuer);
        }
    }
    if !unlisted.is_empty() {
        let issuers: Vec<String> = unlisted.into_iter().collect();
        bail!(
            "on record, but on no revocation list: this database does not have the issuing CA {}; run `chancery \
             restore-check` on the machine whose record has it",
            issuers.join(", ")
        );
    }
    if !json {
        println!(
            "a running server signs the revocation list at once, a stopped one when it starts"
        );
    }
    Ok(())
}

/// Every lost certificate that is meant, once.
async fn selected(operations: &Operations, which: &Which) -> Result<Vec<LostCertificate>> {
    let filters = which.filters()?;
    if filters.is_empty() {
        bail!("which? say --order, --serial, --key, --name or --file");
    }
    let mut selected = BTreeMap::new();
    for filter in filters {
        let found = of_filter(operations, &filter).await?;
        if found.is_empty() {
            bail!("there is no lost certificate {}", described(&filter));
        }
        let keyed = found.into_iter();
        selected.extend(keyed.map(|lost| ((lost.issuer.clone(), lost.serial.clone()), lost)));
    }
    Ok(selected.into_values().collect())
}

/// The lost certificates that a filter for certificates means.
pub(crate) async fn of_filter(
    operations: &Operations,
    filter: &CertificateFilter,
) -> Result<Vec<LostCertificate>> {
    let of_lost = match filter {
        CertificateFilter::Order(order) => LostFilter::Order(order.0),
        CertificateFilter::Serial(serial) => LostFilter::Serial(serial.clone()),
        CertificateFilter::Key(key) => LostFilter::Key(*key),
        CertificateFilter::Name(_) | CertificateFilter::All => LostFilter::All,
    };
    let mut found = operations.lost_certificates(&of_lost).await?;
    if let CertificateFilter::Name(name) = filter {
        found.retain(|lost| lost.names.iter().any(|covered| covered == name.as_str()));
    }
    Ok(found)
}

fn print(lost: &LostCertificate, json: bool, outcome: Option<&str>) {
    if json {
        let mut told = as_json(lost);
        if let Some(outcome) = outcome {
            told["outcome"] = json!(outcome);
        }
        println!("{told}");
        return;
    }
    let outcome = outcome.map(|outcome| format!("  {outcome}"));
    println!("{}{}", line(lost), outcome.unwrap_or_default());
}

fn as_json(lost: &LostCertificate) -> serde_json::Value {
    let told = lost.revocation.as_ref();
    json!({
        "serial": hex(&lost.serial), "issuer": lost.issuer, "orderId": lost.order, "resellerId": lost.reseller,
        "names": lost.names, "spkiSha256": lost.spki_sha256.as_deref().map(hex),
        "notAfter": lost.not_after.to_string(), "signedAt": lost.signed_at.map(|at| at.to_string()),
        "revokedAt": told.map(|told| told.at.to_string()), "reason": told.map(|told| told.reason.code()),
        "by": told.map(|told| told.by.to_string()), "askedAt": told.map(|told| told.asked_at.to_string()),
        "dueAt": told.map(|told| told.due_at.to_string()),
    })
}

/// Fails where anything is damaged.
pub(crate) async fn database(command: DatabaseCommand) -> Result<()> {
    let DatabaseCommand::Check { place } = command;
    let config = place.config()?;
    let operations = chancery_server::operations_after_restore(&config).await?;
    let master_key = match chancery_server::master_key_if_there(&config)? {
        Some(key) => Some(key),
        None => {
            println!("there is no master key here: sealed secrets were not looked at");
            None
        }
    };
    let faults = operations.inspect(master_key.as_ref()).await?;
    if !faults.is_empty() {
        let count = faults.len();
        bail!("{count} faults\n{}", faults.join("\n"));
    }
    println!("no damage was found");
    Ok(())
}

pub(crate) async fn clock(command: ClockCommand) -> Result<()> {
    match command {
        ClockCommand::Show { place } => {
            let (now, latest) = operations(&place).await?.clock_standing().await?;
            println!("it is     {now}");
            if let Some(latest) = latest {
                println!("it was    {latest} when a server last looked");
                if latest > now && latest.duration_since(now) > chancery_app::CLOCK_TOLERANCE {
                    println!(
                        "the clock has gone back: nothing is signed until it has caught up or is accepted"
                    );
                }
            }
        }
        ClockCommand::Accept { operator, place } => {
            let operations = operations(&place).await?;
            let by = operator.name_on(&operations).await?;
            let (now, _) = operations.clock_standing().await?;
            operations.accept_clock(by.as_str()).await?;
            println!("{now} is taken for right; servers sign again within seconds");
        }
    }
    Ok(())
}
