//! What there is to ask about the kernel's numbers and structs that are written by hand, which is all that is not
//! io_uring: netlink, the ethtool ioctl, capabilities.
//!
//! A number has the kernel's name for it, or `struct` and the struct whose size it is, in the comment on its line.

use std::path::{Path, PathBuf};

use quote::ToTokens;
use syn::{Fields, Item};

use crate::judge::Question;

/// Where every integer constant that is a plain number is the kernel's, outside of tests, but for these.
const FOLDERS: [&str; 3] = ["src/nic", "src/zcrx/causes", "src/zcrx/interface"];
const OURS: [&str; 6] = [
    "ROOM",
    "DATAGRAMS",
    "LOOPBACK",
    "MOST_QUEUES",
    "MOST_RSS_ENTRIES",
    "MOST_RULES",
];
/// The numbers that must be found, or else comments are not written as they were.
const FEWEST: usize = 60;

/// A struct of the kernel's, whose fields have other names here.
struct Layout {
    file: &'static str,
    rust: &'static str,
    c: &'static str,
    /// Here, and in C; with `..` it stands for all from there on.
    fields: &'static [(&'static str, &'static str)],
}

const LAYOUTS: [Layout; 4] = [
    Layout {
        file: "src/nic/ethtool.rs",
        rust: "Channels",
        c: "struct ethtool_channels",
        fields: &[
            ("command", "cmd"),
            ("max_rx", "max_rx"),
            ("max_tx", "max_tx"),
            ("max_other", "max_other"),
            ("max_combined", "max_combined"),
            ("rx", "rx_count"),
            ("tx", "tx_count"),
            ("other", "other_count"),
            ("combined", "combined_count"),
        ],
    },
    Layout {
        file: "src/nic/ethtool.rs",
        rust: "Driver",
        c: "struct ethtool_drvinfo",
        fields: &[
            ("command", "cmd"),
            ("name", "driver"),
            ("rest", "version.."),
        ],
    },
    Layout {
        file: "src/nic/rules.rs",
        rust: "Spec",
        c: "struct ethtool_rx_flow_spec",
        fields: &[
            ("kind", "flow_type"),
            ("value", "h_u"),
            ("value_extension", "h_ext"),
            ("mask", "m_u"),
            ("mask_extension", "m_ext"),
            ("queue", "ring_cookie"),
            ("location", "location"),
        ],
    },
    Layout {
        file: "src/nic/rules.rs",
        rust: "Message<0>",
        c: "struct ethtool_rxnfc",
        fields: &[
            ("command", "cmd"),
            ("kind", "flow_type"),
            ("data", "data"),
            ("spec", "fs"),
            ("count", "rule_cnt"),
            ("locations", "rule_locs.."),
        ],
    },
];

/// Offsets and the like that stand in the middle of code: where, what in C, how much.
const LITERALS: [(&str, &str, u64); 26] = [
    ("message.rs", "offsetof(struct nlmsghdr, nlmsg_len)", 0),
    ("message.rs", "offsetof(struct nlmsghdr, nlmsg_type)", 4),
    ("message.rs", "offsetof(struct nlmsghdr, nlmsg_flags)", 6),
    ("message.rs", "offsetof(struct nlmsghdr, nlmsg_seq)", 8),
    ("message.rs", "offsetof(struct nlmsgerr, error)", 0),
    ("message.rs", "offsetof(struct nlattr, nla_len)", 0),
    ("message.rs", "offsetof(struct nlattr, nla_type)", 2),
    ("message.rs", "NLMSG_ALIGNTO", 4),
    ("message.rs", "NLA_ALIGNTO", 4),
    ("message.rs", "NLMSG_MIN_TYPE", 16),
    ("questions.rs", "offsetof(struct genlmsghdr, cmd)", 0),
    ("questions.rs", "offsetof(struct genlmsghdr, version)", 1),
    ("questions.rs", "offsetof(struct ifinfomsg, ifi_index)", 4),
    ("questions.rs", "offsetof(struct ifinfomsg, ifi_flags)", 8),
    ("questions.rs", "ETHTOOL_TCP_DATA_SPLIT_UNKNOWN", 0),
    ("questions.rs", "ETHTOOL_TCP_DATA_SPLIT_DISABLED", 1),
    ("questions.rs", "ETHTOOL_TCP_DATA_SPLIT_ENABLED", 2),
    ("ethtool.rs", "sizeof(struct ethtool_value)", 8),
    ("ethtool.rs", "offsetof(struct ethtool_value, data)", 4),
    ("ethtool.rs", "offsetof(struct ethtool_rxfh_indir, size)", 4),
    (
        "ethtool.rs",
        "offsetof(struct ethtool_rxfh_indir, ring_index)",
        8,
    ),
    ("rules.rs", "offsetof(struct ethtool_tcpip4_spec, pdst)", 10),
    ("rules.rs", "offsetof(struct ethtool_tcpip6_spec, pdst)", 34),
    ("process.rs", "sizeof(struct __user_cap_header_struct)", 8),
    (
        "process.rs",
        "2 * sizeof(struct __user_cap_data_struct)",
        6 * 4,
    ),
    (
        "process.rs",
        "offsetof(struct __user_cap_data_struct, effective)",
        0,
    ),
];

pub(crate) fn questions() -> Vec<Question> {
    let mut questions: Vec<_> = sources("src")
        .iter()
        .flat_map(|path| numbers(path))
        .collect();
    assert!(questions.len() >= FEWEST, "{} found", questions.len());
    questions.extend(
        LITERALS.map(|(place, c, value)| {
            Question::new(format!("{c} in {place}"), c, value.to_string())
        }),
    );
    for layout in &LAYOUTS {
        ask_layout(layout, &mut questions);
    }
    questions
}

/// All Rust files in `folder` and below, but for the bindings.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("uapi/bindings.rs")
            {
                found.push(path);
            }
        }
    }
    found
}

/// The numbers in a file that have a name of the kernel's.
fn numbers(path: &Path) -> Vec<Question> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = path.strip_prefix(top).unwrap();
    let is_kernels = FOLDERS.iter().any(|folder| file.starts_with(folder))
        && !file
            .parent()
            .is_some_and(|folder| folder.ends_with("tests"));
    let mut questions = Vec::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let Some((name, declared, value)) = constant(line) else {
            continue;
        };
        let comment = line.split_once("; // ").map_or("", |(_, comment)| comment);
        let names = kernel_names(comment);
        assert!(
            !names.is_empty() || !is_kernels || OURS.contains(&name),
            "{}: {name} has no name of the kernel's beside it",
            file.display()
        );
        for c in names {
            // What is negative in C is a mask made with ~, of as many bits as are used.
            let c = format!("({c}) < 0 ? ({})({c}) : ({c})", c_type(declared));
            let what = format!("{name} in {}", file.display());
            questions.push(Question::new(what, c, format!("{value} as {declared}")));
        }
    }
    questions
}

fn c_type(declared: &str) -> String {
    match declared {
        "usize" => "unsigned long".to_owned(),
        signed if signed.starts_with('i') => signed.replace('i', "__s"),
        unsigned => format!("__{unsigned}"),
    }
}

/// Name, type and value of the constant that a line is, if it is an integer and has a number for its value.
fn constant(line: &str) -> Option<(&str, &str, &str)> {
    let (_, declaration) = line.split_once("const ")?;
    let (declaration, _) = declaration.split_once(';')?;
    let (left, value) = declaration.split_once(" = ")?;
    let (name, declared) = left.split_once(": ")?;
    let is_integer = ["u8", "u16", "u32", "u64", "i32", "i64", "usize"].contains(&declared);
    let is_number = value.starts_with(|first: char| first.is_ascii_digit());
    (is_integer && is_number).then_some((name, declared, value))
}

/// C expressions for the names that a comment starts with: `NAME`, `NAME, NAME`, `struct name`; more may follow.
fn kernel_names(comment: &str) -> Vec<String> {
    let parts = comment.split([',', ';', ':']).map(str::trim);
    let expressions = parts.map_while(|part| match part.strip_prefix("struct ") {
        Some(name) => (!name.contains(' ')).then(|| format!("sizeof(struct {name})")),
        None => is_kernel_name(part).then(|| part.to_owned()),
    });
    expressions.collect()
}

fn is_kernel_name(name: &str) -> bool {
    let is_of_it = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    name.contains('_') && name.chars().all(is_of_it)
}

fn ask_layout(layout: &Layout, questions: &mut Vec<Question>) {
    let Layout { rust, c, .. } = layout;
    let mut ask = |what: String, c: String, rust: String| {
        questions.push(Question::new(what, c, rust));
    };
    ask(
        format!("size of {rust}"),
        format!("sizeof({c})"),
        format!("size_of::<{rust}>()"),
    );
    ask(
        format!("alignment of {rust}"),
        format!("_Alignof({c})"),
        format!("align_of::<{rust}>()"),
    );
    let declared = fields(layout);
    let names: Vec<_> = declared.iter().map(|(name, _)| name.as_str()).collect();
    let asked: Vec<_> = layout.fields.iter().map(|(here, _)| *here).collect();
    assert_eq!(names, asked, "fields of {rust}");
    for ((here, there), (_, declared)) in layout.fields.iter().zip(&declared) {
        let what = format!("{rust}.{here}");
        let first = there.trim_end_matches("..");
        let at = format!("offsetof({c}, {first})");
        ask(
            format!("offset of {what}"),
            at,
            format!("offset_of!({rust}, {here})"),
        );
        if first == *there {
            let width = format!("sizeof((({c} *)0)->{there})");
            ask(
                format!("width of {what}"),
                width,
                format!("size_of::<{declared}>()"),
            );
        }
    }
}

/// The structs, as they are in their files: with their fields and what these are of, without the rest.
pub(crate) fn source() -> String {
    let mut text = String::new();
    for file in ["src/nic/ethtool.rs", "src/nic/rules.rs"] {
        for item in items(file) {
            match item {
                Item::Struct(mut item) if is_layout(&item.ident) => {
                    item.attrs
                        .retain(|attribute| attribute.path().is_ident("repr"));
                    text += &item.into_token_stream().to_string();
                }
                Item::Type(item) => text += &item.into_token_stream().to_string(),
                _ => {}
            }
        }
    }
    text.replace("pub (super)", "")
}

fn is_layout(name: &syn::Ident) -> bool {
    LAYOUTS
        .iter()
        .any(|layout| layout.rust.split('<').next() == Some(&name.to_string()))
}

/// Names and types of a struct's fields.
fn fields(layout: &Layout) -> Vec<(String, String)> {
    let name = layout.rust.split('<').next();
    let found = items(layout.file).into_iter().find_map(|item| match item {
        Item::Struct(item) if name == Some(&item.ident.to_string()) => Some(item.fields),
        _ => None,
    });
    let Some(Fields::Named(fields)) = found else {
        panic!("{} has no {}", layout.file, layout.rust);
    };
    let named = fields.named.into_iter().map(|field| {
        let name = field.ident.expect("it is named").to_string();
        (name, field.ty.into_token_stream().to_string())
    });
    named.collect()
}

fn items(file: &str) -> Vec<Item> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    syn::parse_file(&text).expect("it is Rust").items
}
