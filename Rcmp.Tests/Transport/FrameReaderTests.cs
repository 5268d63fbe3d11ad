using CsCheck;
using Rcmp.Cluster.Transport;

namespace Rcmp.Tests.Transport;

public sealed class FrameReaderTests
{
    private const int FrameBytesMax = 200_000;

    [Fact]
    public void HoweverTheStreamIsCutTheFramesAreTheSame() =>
        Gen.Select(Gen.Byte.Array[0, 3000].Array[1, 20], Gen.Int[1, 40_000], Gen.Int[0, 100_000]).Sample(
            (small, cut, large) =>
            {
                byte[][] frames = [.. small, new byte[large]];
                var stream = frames.SelectMany(frame => (byte[])[.. BitConverter.GetBytes(frame.Length), .. frame]).ToArray();
                var seen = Feed(new FrameReader(FrameBytesMax), stream, cut);
                return seen.Count == frames.Length && seen.Zip(frames).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second));
            },
            iter: 200);

    [Theory]
    [InlineData(FrameBytesMax + 1)]
    [InlineData(int.MaxValue)]
    [InlineData(-1)]
    public void ALengthThatNobodyAnnouncesIsRefused(int length) =>
        Assert.Throws<InvalidDataException>(() => Feed(new FrameReader(FrameBytesMax), BitConverter.GetBytes(length), 4));

    [Fact]
    public void TheBufferGrowsWithWhatHasArrivedNotWithWhatWasAnnounced()
    {
        var reader = new FrameReader(FrameBytesMax);
        Feed(reader, BitConverter.GetBytes(FrameBytesMax), 4);
        Assert.InRange(reader.Free.Length, 1, 32 << 10);
    }

    private static List<byte[]> Feed(FrameReader reader, byte[] stream, int cut)
    {
        var frames = new List<byte[]>();
        for (var at = 0; at < stream.Length;)
        {
            var count = Math.Min(Math.Min(cut, reader.Free.Length), stream.Length - at);
            stream.AsSpan(at, count).CopyTo(reader.Free);
            reader.Advance(count);
            at += count;
            while (reader.TryRead(out var frame)) frames.Add(frame.ToArray());
        }

        return frames;
    }
}
