//! What there is to ask about the committed bindings.

use std::collections::{BTreeMap, BTreeSet};

use quote::ToTokens;
use syn::{Fields, Item, PathArguments, Type};

use crate::judge::Question;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/uapi/bindings.rs");

/// What makes the bindings' names known.
pub(crate) fn source() -> String {
    format!("include!({PATH:?});")
}

pub(crate) fn questions() -> Vec<Question> {
    let text = std::fs::read_to_string(PATH).unwrap();
    let mut asker = Asker::default();
    for item in syn::parse_file(&text).expect("it is Rust").items {
        asker.take(item);
    }
    asker.ask_types();
    asker.check(&text);
    asker.questions
}

#[derive(Clone)]
struct Field {
    name: String,
    /// The type that it has in C; of an array without a length, what it is of.
    held: String,
    is_flexible: bool,
}

#[derive(Default)]
struct Asker {
    /// Fields of each struct and union, in order.
    types: BTreeMap<String, Vec<Field>>,
    questions: Vec<Question>,
    constants: usize,
    /// Types whose fields were asked for, and how many these are.
    asked: BTreeSet<String>,
    fields: usize,
}

impl Asker {
    fn take(&mut self, item: Item) {
        match item {
            Item::Const(item) => {
                let name = item.ident.to_string();
                self.constants += 1;
                self.ask(format!("value of {name}"), name.clone(), name);
            }
            Item::Type(item) => self.ask_alias(&item.ident.to_string()),
            // bindgen's own, which the kernel does not know: arrays without a length and the like.
            Item::Struct(item) if !item.generics.params.is_empty() => {}
            Item::Struct(item) => self.add_type(item.ident.to_string(), item.fields),
            Item::Union(item) => self.add_type(item.ident.to_string(), Fields::Named(item.fields)),
            Item::Impl(_) => {}
            other => panic!("not understood: {}", other.into_token_stream()),
        }
    }

    fn add_type(&mut self, name: String, fields: Fields) {
        let fields = fields.into_iter().map(|field| {
            let (held, is_flexible) = held(&field.ty);
            let name = field.ident.expect("C's fields have names").to_string();
            Field {
                name,
                held,
                is_flexible,
            }
        });
        self.types.insert(name, fields.collect());
    }

    fn ask(&mut self, what: String, c: String, rust: String) {
        self.questions.push(Question::new(what, c, rust));
    }

    /// A `typedef`, or an `enum`. Those without a name cannot be asked for; their constants are.
    fn ask_alias(&mut self, name: &str) {
        if name.starts_with("_bindgen_ty_") {
            return;
        }
        let c = match name.starts_with("__") {
            true => name.to_owned(),
            false => format!("enum {name}"),
        };
        let (size, sign) = (format!("size_of::<{name}>()"), format!("{name}::MIN != 0"));
        self.ask(format!("size of {name}"), format!("sizeof({c})"), size);
        self.ask(format!("sign of {name}"), format!("({c})-1 < 0"), sign);
    }

    fn ask_types(&mut self) {
        let names: Vec<_> = self
            .types
            .keys()
            .filter(|name| !is_inner(name))
            .cloned()
            .collect();
        for name in names {
            let c = format!("struct {name}");
            self.ask(
                format!("size of {name}"),
                format!("sizeof({c})"),
                format!("size_of::<{name}>()"),
            );
            self.ask(
                format!("alignment of {name}"),
                // bindgen aligns what holds a union of arrays to 8 on every target; never less than C.
                format!("_Alignof({c})"),
                format!("align_of::<{name}>()"),
            );
            self.ask_fields(&name, &c, "", "0");
        }
    }

    /// Asks for the fields of `name`, which are the members `prefix` and their name of `c` and lie from offset
    /// `start` on.
    fn ask_fields(&mut self, name: &str, c: &str, prefix: &str, start: &str) {
        self.asked.insert(name.to_owned());
        for field in self.types[name].clone() {
            let Field {
                name: field,
                held,
                is_flexible,
            } = field;
            self.fields += 1;
            // Where fields of a union have bindgen's type, this one gives it its size.
            if field == "bindgen_union_field" {
                continue;
            }
            let start = format!("{start} + offset_of!({name}, {field})");
            // C reaches the members of what has no name as if they were its holder's.
            let is_anonymous = field.starts_with("__bindgen_anon_");
            let member = format!("{prefix}{field}");
            if !is_anonymous {
                let what = format!("{}.{member}", c.trim_start_matches("struct "));
                let at = format!("offsetof({c}, {member})");
                self.ask(format!("offset of {what}"), at, start.clone());
                let element = if is_flexible { "[0]" } else { "" };
                let width = format!("sizeof((({c} *)0)->{member}{element})");
                self.ask(
                    format!("width of {what}"),
                    width,
                    format!("size_of::<{held}>()"),
                );
            }
            if is_inner(&held) {
                let prefix = if is_anonymous {
                    prefix.to_owned()
                } else {
                    format!("{member}.")
                };
                self.ask_fields(&held, c, &prefix, &start);
            }
        }
    }

    /// That nothing was missed, by a count that knows lines alone.
    fn check(&self, text: &str) {
        let lines = |starts: &[&str], but: &str| {
            let found = text.lines().filter(|line| {
                starts.iter().any(|start| line.starts_with(start)) && !line.contains(but)
            });
            found.count()
        };
        assert_eq!(self.constants, lines(&["pub const "], " fn "));
        assert_eq!(
            self.asked.len(),
            lines(&["pub struct ", "pub union "], "<T>")
        );
        assert_eq!(
            self.fields,
            lines(&["    pub "], " fn ") - lines(&["    pub const "], " fn ")
        );
    }
}

/// A type that stands within another in C, and has no name there.
fn is_inner(name: &str) -> bool {
    name.contains("__bindgen_ty_")
}

/// The type that a field has in C; of an array without a length, what it is of.
fn held(declared: &Type) -> (String, bool) {
    if let Type::Path(path) = declared {
        let last = path.path.segments.last().expect("a path has one");
        if let PathArguments::AngleBracketed(arguments) = &last.arguments {
            let inner = arguments.args.to_token_stream().to_string();
            match last.ident.to_string().as_str() {
                "__BindgenUnionField" => return (inner, false),
                "__IncompleteArrayField" => return (inner, true),
                _ => {}
            }
        }
    }
    (declared.to_token_stream().to_string(), false)
}
