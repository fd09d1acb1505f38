//! `chancery ca`: what the embedded CA shows of itself. It reads the database and needs no key.

use anyhow::{Context, Result};
use chancery_app::CaCertificates;
use chancery_pki::certificate::{self, CertificateInfo};
use chancery_pki::public_keys::sha256;

use crate::arguments::{CaCommand, Place};

pub(crate) async fn ca(command: CaCommand) -> Result<()> {
    match command {
        CaCommand::Show { place } => {
            let CaCertificates { root, issuing } = certificates(&place).await?;
            show("Root", &root)?;
            for (number, der) in (1..).zip(&issuing) {
                match number == issuing.len() {
                    true => show(&format!("Issuing CA {number}, which signs"), der)?,
                    false => show(&format!("Issuing CA {number}"), der)?,
                }
            }
            Ok(())
        }
        CaCommand::ExportRoot { place } => {
            let root = certificates(&place).await?.root;
            print!("{}", certificate::to_pem(&root));
            Ok(())
        }
    }
}

async fn certificates(place: &Place) -> Result<CaCertificates> {
    let operations = chancery_server::operations(&place.config()?).await?;
    let found = operations.authority_certificates().await?;
    found.context("there is no CA yet: the first start of the server makes it")
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

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
