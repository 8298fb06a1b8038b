//! The shapes of the documents for programs, as JSON Schema: made of the types that are written, with
//! their docstrings.

use std::path::Path;
use std::{env, fs};

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use crate::doctor::{Cluster, Local};
use crate::settings::Report;
use crate::show::Document;
use crate::status::json::Content;

fn schema<T: JsonSchema>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<Document<T>>()
}

#[test]
fn the_shipped_schemas_are_those_of_the_documents() {
    for (name, schema) in [
        ("settings", schema::<Report>()),
        ("status", schema::<Content>()),
        ("doctor", schema::<Cluster<'_>>()),
        ("doctor-local", schema::<Local<'_>>()),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("pkg/schema/{name}.json"));
        let text = serde_json::to_string_pretty(&schema).expect("a schema") + "\n";
        if env::var_os("DOVECOT_ARK_WRITE_SCHEMAS").is_some() {
            fs::write(&path, &text).expect("writing a schema");
        }
        let there = fs::read_to_string(&path).expect("a schema");
        assert!(there == text, "{name}: set DOVECOT_ARK_WRITE_SCHEMAS to write it");
    }
}
