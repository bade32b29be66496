//! What is counted in Rust source, outside of its tests.

use anyhow::{Context, Result};
use std::ops::AddAssign;
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, Safety};

/// Counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `unsafe` blocks, functions and implementations.
    pub unsafe_code: usize,
    /// `unwrap`, `expect` and macros that panic.
    pub panics: usize,
    /// Expressions `a[b]`, which panic when out of range.
    pub indexing: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.unsafe_code += other.unsafe_code;
        self.panics += other.panics;
        self.indexing += other.indexing;
    }
}

/// Counts in the text of a Rust file.
///
/// # Errors
/// If it cannot be parsed.
pub fn count(text: &str) -> Result<Counts> {
    let file = syn::parse_file(text).context("parsing Rust")?;
    let mut counts = Counts::default();
    counts.visit_file(&file);
    Ok(counts)
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.path().is_ident("cfg").then(|| attribute.parse_args::<syn::Ident>().ok()).flatten();
        attribute.path().is_ident("test") || condition.is_some_and(|condition| condition == "test")
    })
}

impl<'ast> Visit<'ast> for Counts {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(ItemFn { attrs, .. }) | Item::Mod(ItemMod { attrs, .. }) | Item::Impl(ItemImpl { attrs, .. }) => {
                attrs.as_slice()
            }
            _ => &[],
        };
        if is_test(attributes) {
            return;
        }
        let before = self.panics;
        visit::visit_item(self, item);
        if matches!(item, Item::Const(_)) {
            // What panics there does so in the compiler.
            self.panics = before;
        }
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        self.unsafe_code += usize::from(item.unsafety.is_some());
        visit::visit_item_impl(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.unsafe_code += usize::from(matches!(signature.safety, Safety::Unsafe(_)));
        visit::visit_signature(self, signature);
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        match expression {
            Expr::Unsafe(_) => self.unsafe_code += 1,
            Expr::Index(_) => self.indexing += 1,
            Expr::MethodCall(call) if call.method == "unwrap" || call.method == "expect" => self.panics += 1,
            _ => {}
        }
        visit::visit_expr(self, expression);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        let panics = ["panic", "unreachable", "todo", "unimplemented", "assert", "assert_eq", "assert_ne"];
        self.panics += usize::from(panics.iter().any(|name| called.path.is_ident(name)));
        visit::visit_macro(self, called);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_not_counted_and_the_rest_is() {
        let text = "
            unsafe impl Send for A {}
            fn f(v: &[u8]) -> u8 { let a = v.first().unwrap(); panic!(); v[0] }
            unsafe fn g() { unsafe { h() } }
            const _: () = assert!(true);
            #[cfg(test)] mod tests { fn t() { x.unwrap(); unsafe { y() } } }
            #[cfg(not(test))] fn real() { x.expect(\"\") }
        ";
        assert_eq!(count(text).unwrap(), Counts { unsafe_code: 3, panics: 3, indexing: 1 });
    }
}
