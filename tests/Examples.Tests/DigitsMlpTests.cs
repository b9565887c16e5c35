using Hybrid.Examples.Runs;
using Hybrid.Kernels;
using Xunit;

namespace Hybrid.Examples.Tests;

/// <summary>Section 5 of the curriculum: a gradient by hand that equals autograd, and the training that it carries.</summary>
public sealed class DigitsMlpTests
{
    [Theory]
    [InlineData(ElementType.Float64)]
    [InlineData(ElementType.Float32)]
    public void Each_function_by_hand_equals_autograd_bit_by_bit(ElementType type)
    {
        for (var seed = 0; seed < 5; seed++)
        {
            var checks = HandMlpChecks.Run(type, seed);

            Assert.Equal(21, checks.Count);
            Assert.All(checks, check => Assert.True(check.Equal, $"{check}"));
        }
    }

    [Theory]
    [InlineData("manual")]
    [InlineData("automatic")]
    public void Training_follows_the_known_course(string path)
    {
        var ran = Running.Here("digits-mlp", "--path", path);

        Assert.Equal(0, ran.ExitCode);
        var epochs = ran.OutputLines.Where(line => line.StartsWith("epoch ", StringComparison.Ordinal)).Select(Parse).ToArray();
        Assert.Equal([.. Enumerable.Range(0, 25).Select(i => 20.0 * i), 499], epochs.Select(epoch => epoch[0]));
        double Loss(int epoch) => epochs.Single(done => done[0] == epoch)[1];
        Assert.Equal(0.81000, Loss(0));
        Assert.InRange(Loss(20), 0.762, 0.768);
        Assert.InRange(Loss(40), 0.741, 0.747);
        Assert.InRange(Loss(60), 0.726, 0.732);
        Assert.InRange(Loss(80), 0.726, 0.732);
        Assert.InRange(Loss(200), 0.50, 0.62);
        Assert.InRange(Loss(400), 0.22, 0.32);
        Assert.InRange(Loss(499), 0.16, 0.24);
        Assert.InRange(epochs[^1][2], 95, 98);
        Assert.InRange(epochs[^1][3], 92, 97);
        Assert.All(epochs, epoch => Assert.Equal(100, epoch[4..].Sum(), 0.6));
        Assert.Equal(100, epochs.Single(epoch => epoch[0] == 40)[4..].Max());
    }

    [Fact]
    public void Paths_train_alike_and_batches_may_be_smaller()
    {
        var ran = Running.Here("digits-mlp", "--path", "all", "--epochs", "21", "--batch", "400");

        Assert.Equal(0, ran.ExitCode);
        var epochs = ran.OutputLines.Where(line => line.StartsWith("epoch ", StringComparison.Ordinal)).ToArray();
        Assert.Equal(6, epochs.Length);
        Assert.Equal(epochs[..2], epochs[2..4]);
        Assert.Equal(epochs[..2], epochs[4..]);
    }

    [Fact]
    public void A_loss_that_differs_is_a_disagreement_that_names_both()
    {
        var epochs = DigitsTable.Losses.Select(known => new DigitsEpoch(known.Epoch, known.Epoch == 40 ? 0.75 : known.Loss, 96, 94, [])).ToArray();

        var (text, good) = Assert.Single(DigitsTable.Judge(new("automatic", epochs)));

        Assert.False(good);
        Assert.Equal("Path automatic DISAGREES with the known figures: expected a mean loss of 0.74400 +- 0.003 at epoch 40, got 0.75000.", text);
    }

    // epoch 20 loss 0.76503 train 10.72 test 7.50 predicted 0.0 ...
    private static double[] Parse(string line)
    {
        var words = line.Split(' ');
        Assert.Equal(["epoch", "loss", "train", "test", "predicted"], [words[0], words[2], words[4], words[6], words[8]]);
        string[] numbers = [words[1], words[3], words[5], words[7], .. words[9..]];
        Assert.Equal(14, numbers.Length);
        return [.. numbers.Select(number => double.Parse(number, System.Globalization.CultureInfo.InvariantCulture))];
    }
}
