//! Rules about the source itself, so that a review need not remember them.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use local::template::Template;
use serde_json::Value;

use crate::contract;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests stand in the workspace")
}

/// The workspace's packages, as Cargo tells them.
fn workspace() -> &'static [Value] {
    static PACKAGES: OnceLock<Vec<Value>> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        let cargo = Command::new(env!("CARGO"))
            .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
            .current_dir(root())
            .output()
            .expect("Cargo runs");
        assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
        let metadata: Value = serde_json::from_slice(&cargo.stdout).expect("Cargo tells JSON");
        metadata["packages"].as_array().expect("there are packages").clone()
    })
}

fn name(of: &Value) -> &str {
    of["name"].as_str().expect("it has a name")
}

/// How far up the hill a crate of ours stands.
fn height_of(name: &str) -> u8 {
    match name {
        "domain" => 0,
        "store" => 1,
        "edge" => 2,
        "local" => 4,
        "tests" => 5,
        _a_function => 3,
    }
}

/// Goal: dependencies only run downhill, and AWS stays where it belongs. Method: ask Cargo.
#[test]
fn crates_depend_only_downhill() {
    let mut uphill = BTreeSet::new();
    for package in workspace() {
        let from = height_of(name(package));
        for dependency in package["dependencies"].as_array().expect("a list") {
            let to = name(dependency);
            let ours = dependency.get("path").is_some_and(|path| !path.is_null());
            let aws = to.starts_with("aws-") || to.starts_with("serde_dynamo");
            let lambda = to.starts_with("lambda_");
            let web = ["reqwest", "axum", "jsonwebtoken"].contains(&to);
            if (ours && from <= height_of(to))
                || (from == height_of("domain") && (aws || lambda || web || to == "tokio"))
                || (from == height_of("store") && (lambda || web))
                || (from == 3 && (aws || lambda || web))
            {
                uphill.insert(format!("{} -> {to}", name(package)));
            }
        }
    }
    assert_eq!(uphill, BTreeSet::new(), "see the dependency rule in ARCHITECTURE.md");
}

/// `hold-seats` in another spelling.
fn camel(kebab: &str, first_too: bool) -> String {
    let word = |(position, word): (usize, &str)| {
        let mut letters = word.chars();
        let first = letters.next().expect("no dash stands beside another");
        let first = if position > 0 || first_too { first.to_ascii_uppercase() } else { first };
        format!("{first}{}", letters.as_str())
    };
    kebab.split('-').enumerate().map(word).collect()
}

fn folders() -> BTreeSet<String> {
    let folders = std::fs::read_dir(root().join("functions")).expect("there are functions");
    folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Goal: one name per function. Method: folder, package, resource, operation (of those with a route)
/// and test file are spelt from the folder and looked for.
#[test]
fn a_function_has_one_name_everywhere() {
    let template = Template::read().unwrap();
    let routes = template.routes();
    let packages: BTreeSet<&str> = workspace().iter().map(name).collect();
    for folder in folders() {
        assert!(packages.contains(folder.as_str()), "no package {folder}");
        if let Some(route) = routes.iter().find(|route| route.function == camel(&folder, true)) {
            let operation = contract::operation(&route.method, &route.path);
            let operation = operation.unwrap_or_else(|| panic!("openapi.yaml has no {folder}"));
            assert_eq!(operation["operationId"], camel(&folder, false));
        }
        let test = root().join(format!("tests/it/{}.rs", folder.replace('-', "_")));
        assert!(test.exists(), "{folder} has no test file");
    }
    let sources = template.sources().unwrap();
    let resources: BTreeSet<String> = routes
        .iter()
        .map(|route| route.function.clone())
        .chain(sources.into_iter().map(|(function, _)| function))
        .collect();
    let spelt: BTreeSet<String> = folders().iter().map(|folder| camel(folder, true)).collect();
    assert_eq!(resources, spelt, "what is called is what there is");
}

/// Goal: the document describes the API, all of it and nothing else.
#[test]
fn the_document_has_the_templates_routes_and_no_others() {
    let routes = Template::read().unwrap().routes();
    let deployed: BTreeSet<(String, String)> =
        routes.into_iter().map(|route| (route.method, route.path)).collect();
    let paths = contract::document()["paths"].as_object().expect("there are paths");
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path has methods").keys();
            let methods =
                methods.filter(|key| ["get", "post", "put", "delete"].contains(&key.as_str()));
            methods.map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    assert_eq!(deployed, described);
}

/// Every source file of ours below a folder.
fn sources(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Goal: files stay readable, and tests stay tests. Method: count lines, look for what rots.
#[test]
fn files_are_short_and_no_test_is_asleep() {
    let mut files = Vec::new();
    for folder in ["shared", "functions", "infra", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    assert!(files.len() > 50, "the search found the sources");
    // Spelt apart, so that this file does not find itself.
    let rot = [["#[ig", "nore"].concat(), ["thread::", "sleep"].concat(), ["TO", "DO"].concat()];
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().expect("there is a first part");
        let is_test = file.starts_with(root().join("tests"));
        let limit = if is_test { 600 } else { 430 };
        let lines = code.lines().count();
        assert!(lines <= limit, "{} has {lines} lines: split it", file.display());
        assert!(text.starts_with("//! "), "{} does not say what it is", file.display());
        for word in &rot {
            assert!(!text.contains(word.as_str()), "{} has `{word}`", file.display());
        }
        assert!(
            !is_test || !text.contains(&["tokio::time::", "sleep"].concat()),
            "{}",
            file.display()
        );
    }
}
