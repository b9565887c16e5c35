using Hybrid.Examples.Output;
using Xunit;

namespace Hybrid.Examples.Tests;

public sealed class TextTableTests
{
    [Fact]
    public void Columns_are_aligned_and_lines_end_without_blanks()
    {
        var table = new TextTable("name", ">count", "verdict");
        table.Add("a", "1", "agree");
        table.Add("longer", "1000", "");

        Assert.Equal(["name    count  verdict", "a           1  agree", "longer   1000"], table.Lines());
    }

    [Fact]
    public void A_row_has_a_cell_for_each_column()
    {
        var e = Assert.Throws<ArgumentException>(() => new TextTable("one", "two").Add("a"));

        Assert.Equal("expected 2 cells, got 1 (Parameter 'cells')", e.Message);
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1.25e-16, "1.3e-16")]
    [InlineData(0.5, "5.0e-01")]
    [InlineData(double.NaN, "NaN")]
    public void Small_numbers_have_two_digits_and_a_power(double value, string expected) => Assert.Equal(expected, Say.Small(value));
}
