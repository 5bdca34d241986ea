//! `#[derive(Keyword)]`: enums of plain variants that people write as keywords.

use heck::{ToKebabCase, ToTitleCase};
use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{parse_macro_input, Data, DeriveInput, Error, Fields, Ident};

/// Gives an enum `ALL`, `as_str`, `Display` and `FromStr`; `WantToRead` is written `want-to-read`.
#[proc_macro_derive(Keyword)]
pub fn derive_keyword(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn expand(input: &DeriveInput) -> syn::Result<Tokens> {
    let name = &input.ident;
    let variants = plain_variants(input)?;
    let words: Vec<String> = variants
        .iter()
        .map(|variant| variant.to_string().to_kebab_case())
        .collect();
    let expected = format!(
        "is no {}; expected one of {}",
        name.to_string().to_title_case().to_lowercase(),
        words.join(", ")
    );

    Ok(quote! {
        impl #name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[#(Self::#variants),*];

            /// The keyword of this variant.
            pub const fn as_str(self) -> &'static str {
                match self {
                    #(Self::#variants => #words),*
                }
            }
        }

        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::core::str::FromStr for #name {
            type Err = ::std::string::String;

            fn from_str(word: &str) -> ::core::result::Result<Self, Self::Err> {
                match word {
                    #(#words => Ok(Self::#variants),)*
                    _ => Err(::std::format!("`{word}` {}", #expected)),
                }
            }
        }
    })
}

fn plain_variants(input: &DeriveInput) -> syn::Result<Vec<&Ident>> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new_spanned(&input.ident, "Keyword is for enums"));
    };
    data.variants
        .iter()
        .map(|variant| match variant.fields {
            Fields::Unit => Ok(&variant.ident),
            _ => Err(Error::new_spanned(variant, "a keyword carries no fields")),
        })
        .collect()
}
