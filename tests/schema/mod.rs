//! What the kit prints for programs, read and held to the schema that is shipped.

use std::path::Path;

use serde_json::Value;

/// Reads a document of one of the shapes in `pkg/schema` and insists that it is of that shape.
#[track_caller]
pub(crate) fn document(shape: &str, text: &str) -> Value {
    let read = |text: &str| -> Value { serde_json::from_str(text).expect(text) };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("pkg/schema/{shape}.json"));
    let schema = read(&std::fs::read_to_string(path).expect("a schema"));
    let document = read(text);
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let faults: Vec<String> = schema
        .iter_errors(&document)
        .map(|fault| format!("{}: {fault}", fault.instance_path))
        .collect();
    assert_eq!(faults, Vec::<String>::new(), "{document:#}");
    document
}
