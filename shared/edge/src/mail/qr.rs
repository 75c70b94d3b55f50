//! A ticket as a picture: a QR code, black on white.

use png::{BitDepth, ColorType, Encoder};
use qrcode::{Color, QrCode};

/// Light modules around a code, without which readers do not find it (ISO/IEC 18004).
const QUIET_MODULES: usize = 4;

/// Pixels that a picture has at least, each way: large enough for a camera, small enough for the
/// screen of a phone.
const SIDE_PIXELS_MIN: usize = 300;

/// A picture.
pub(super) struct Picture {
    /// As a PNG.
    pub(super) png: Vec<u8>,
    /// Its width, which is its height.
    pub(super) side_pixels: usize,
}

/// The code of `ticket`. Each module is a whole number of pixels, so that nothing blurs it.
pub(super) fn picture(ticket: &str) -> Picture {
    let code = QrCode::new(ticket).expect("a ticket has far less than the 2,331 bytes that fit");
    let modules = code.width();
    let scale = SIDE_PIXELS_MIN.div_ceil(modules + 2 * QUIET_MODULES);
    let side_pixels = (modules + 2 * QUIET_MODULES) * scale;
    let module = |pixel: usize| (pixel / scale).checked_sub(QUIET_MODULES);
    let is_dark = |x: usize, y: usize| match module(x).zip(module(y)) {
        Some((x, y)) if x < modules && y < modules => code[(x, y)] == Color::Dark,
        Some(_) | None => false,
    };
    let rows = (0..side_pixels).flat_map(|y| (0..side_pixels).map(move |x| (x, y)));
    let pixels: Vec<u8> = rows.map(|(x, y)| if is_dark(x, y) { 0 } else { 255 }).collect();
    Picture { png: png(&pixels, side_pixels), side_pixels }
}

fn png(pixels: &[u8], side_pixels: usize) -> Vec<u8> {
    let side = u32::try_from(side_pixels).expect("a code has some hundred pixels");
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header().expect("the size is not zero, and memory takes it");
    writer.write_image_data(pixels).expect("there is a byte for each pixel");
    writer.finish().expect("there is one picture");
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(png: &[u8]) -> (usize, Vec<u8>) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.color_type, info.width), (ColorType::Grayscale, info.height));
        (info.width.try_into().unwrap(), pixels)
    }

    #[test]
    fn a_code_of_any_ticket_is_some_300_pixels_wide_with_a_white_margin() {
        for bytes in [1, 250, 500, 2_048] {
            let picture = picture(&"x".repeat(bytes));
            let (side, pixels) = grey(&picture.png);
            assert_eq!((side, pixels.len()), (picture.side_pixels, side * side));
            assert!((300..=400).contains(&side), "{bytes} bytes are {side} pixels");
            assert!(pixels[..side * QUIET_MODULES].iter().all(|grey| *grey == 255));
            assert!(pixels.contains(&0));
        }
    }
}
