//! `chancery restore-check`, `lost-certificate`, `database` and `clock`.

use anyhow::{Context, Result, bail};
use chancery_app::{LostCertificate, Operations, RestoreReport};
use serde_json::json;

use crate::arguments::{ClockCommand, DatabaseCommand, LostCommand, Place, RestoreFlags};
use crate::authority::hex;

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
    let report = operations.restore_report(&config.data, flags.skip).await?;
    print_report(&report);
    if !report.is_needed() && flags.skip.is_none() {
        println!("\nThe database has all that the record beside it knows: there is nothing to do.");
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
    operations
        .put_back(&config.data, &report, by.as_str())
        .await?;
    println!(
        "\nDone. A server can be started; `chancery lost-certificate list` shows what was put on record."
    );
    Ok(())
}

fn print_report(report: &RestoreReport) {
    match (report.has_record, report.signs.is_empty()) {
        (false, _) => println!(
            "This data folder has no record of the database. If the database was restored from a backup, nobody can \
             tell what came after it: which numbers people were given, which certificates were signed or revoked. \
             Numbers are skipped by a wide gap (--skip says otherwise). Certificates that were signed since the \
             backup stay valid until they expire; they cannot be found or revoked from here. If another data folder \
             of this installation is left, run this on it, too."
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
    for ca in &report.revoked_cas {
        println!("\nIssuing CA {} was revoked, and is again.", ca.issuer);
    }
    if !report.signed_before.is_empty() {
        let count = report.signed_before.len();
        println!(
            "\n{count} certificates under way were signed before; they get new serial numbers."
        );
    }
    if report.has_record && !report.signs.is_empty() {
        println!(
            "\nOrders, payments, contacts and credentials that came after the backup are gone: the certificates above \
             tell which orders had been given one."
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
    let revoked = match lost.revoked {
        Some((at, _)) => format!("  revoked {at}"),
        None => String::new(),
    };
    let (serial, end) = (hex(&lost.serial), lost.not_after);
    format!("{serial}  {order}  {names}  until {end}{revoked}")
}

pub(crate) async fn lost_certificate(command: LostCommand) -> Result<()> {
    match command {
        LostCommand::List { json, place } => {
            for lost in operations(&place).await?.lost_certificates().await? {
                match json {
                    true => println!("{}", as_json(&lost)),
                    false => println!("{}", line(&lost)),
                }
            }
        }
        LostCommand::Revoke {
            serial,
            reason,
            operator,
            place,
        } => {
            let operations = operations(&place).await?;
            let by = operator.name_on(&operations).await?;
            let found = operations.lost_certificates().await?;
            let serial = serial.replace(':', "").to_ascii_lowercase();
            let lost = found.iter().find(|lost| hex(&lost.serial) == serial);
            let lost = lost.with_context(|| {
                format!("--serial: no lost certificate has the serial {serial}")
            })?;
            match operations.revoke_lost(lost, reason, by.as_str()).await? {
                true => println!("revoked; it is on a revocation list within a minute"),
                false => println!("it was revoked before"),
            }
        }
    }
    Ok(())
}

fn as_json(lost: &LostCertificate) -> serde_json::Value {
    json!({
        "serial": hex(&lost.serial), "issuer": lost.issuer, "orderId": lost.order, "resellerId": lost.reseller,
        "names": lost.names, "spkiSha256": lost.spki_sha256.as_deref().map(hex),
        "notAfter": lost.not_after.to_string(), "signedAt": lost.signed_at.map(|at| at.to_string()),
        "revokedAt": lost.revoked.map(|(at, _)| at.to_string()), "reason": lost.revoked.and_then(|(_, reason)| reason),
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
