//! `chancery key rotate`.

use anyhow::Result;
use serde_json::json;

use crate::arguments::RotateFlags;

pub(crate) async fn rotate(flags: RotateFlags) -> Result<()> {
    let RotateFlags {
        new_master_key_file,
        json,
        operator,
        place,
    } = flags;
    let config = place.config()?;
    let operations = chancery_server::operations_to_rotate(&config).await?;
    let name = operator.name_on(&operations).await?;
    let operations = operations.acting_as(name);
    let rotated =
        chancery_server::rotate_master_key(&config, &new_master_key_file, &operations).await?;
    if json {
        println!(
            "{}",
            json!({ "resealed": rotated.resealed, "resumed": rotated.resumed })
        );
        return Ok(());
    }
    if rotated.resumed {
        println!("went on with a change of the master key that had been interrupted");
    }
    println!(
        "{} secrets sealed anew; all tokens have ended",
        rotated.resealed
    );
    println!("now let the configuration name the new key, and start the servers");
    Ok(())
}
