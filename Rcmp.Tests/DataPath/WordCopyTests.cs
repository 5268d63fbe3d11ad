using System.Runtime.InteropServices;
using Rcmp.DataPath;

namespace Rcmp.Tests.DataPath;

public sealed class WordCopyTests : IDisposable
{
    private const int Room = 64;
    private const int LongestCopy = 800;

    private readonly HandDrivenRack _rack = new();
    private readonly PoolClient _pool;

    public WordCopyTests()
    {
        _rack.PlaceFirst(2);
        _pool = _rack.Connect(new FakeControlPlane());
    }

    public void Dispose()
    {
        _pool.Dispose();
        _rack.Dispose();
    }

    [Fact]
    public void EveryLengthAndAlignmentCopiesItsBytesAndNoOthers()
    {
        var pattern = new byte[LongestCopy + 2 * Room];
        new Random(3).NextBytes(pattern);
        var memory = new byte[pattern.Length];
        var frame = _rack.Region.FrameSpan(new(0));
        for (var length = 0; length <= LongestCopy; length += length < 300 ? 1 : 37)
        {
            for (var at = 0; at < 2 * sizeof(ulong); at += 3)
            {
                for (var offset = 0; offset < Room / 2; offset += 5)
                {
                    frame.Clear();
                    _pool.Write(_rack.Address(1, Room + at), pattern.AsSpan(offset, length));
                    Assert.True(frame.Slice(Room + at, length).SequenceEqual(pattern.AsSpan(offset, length)), $"{length} bytes to {at} from {offset}");
                    Assert.False(frame[..(Room + at)].ContainsAnyExcept((byte)0));
                    Assert.False(frame[(Room + at + length)..].ContainsAnyExcept((byte)0));
                    Array.Clear(memory);
                    _pool.Read(_rack.Address(1, Room + at), memory.AsSpan(offset, length));
                    Assert.True(memory.AsSpan(offset, length).SequenceEqual(pattern.AsSpan(offset, length)), $"{length} bytes from {at} to {offset}");
                    Assert.False(memory.AsSpan(0, offset).ContainsAnyExcept((byte)0));
                    Assert.False(memory.AsSpan(offset + length).ContainsAnyExcept((byte)0));
                }
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(8)]
    public async Task WordsOfALargeRangeAreNeverHalfOldHalfNew(int offset)
    {
        var length = 2 * _rack.PageSize;
        var stop = false;
        var writer = Task.Factory.StartNew(
            () =>
            {
                var source = new byte[length + offset];
                for (var value = 0; !Volatile.Read(ref stop); value++)
                {
                    Array.Fill(source, (byte)value);
                    _pool.Write(_rack.Address(1), source.AsSpan(offset));
                }
            }, TaskCreationOptions.LongRunning);
        var buffer = new byte[length + offset];
        var seen = new HashSet<byte>();
        var started = Environment.TickCount64;
        // On a busy machine the writer gets its turn later.
        while (Environment.TickCount64 - started is var past && (past < 700 || (seen.Count <= 100 && past < 30_000)))
        {
            _pool.Read(_rack.Address(1), buffer.AsSpan(offset));
            foreach (var word in MemoryMarshal.Cast<byte, ulong>(buffer.AsSpan(offset)))
            {
                Assert.Equal((byte)word * 0x0101010101010101UL, word);
                seen.Add((byte)word);
            }
        }

        Volatile.Write(ref stop, true);
        await writer;
        Assert.True(seen.Count > 100, $"the writer was seen {seen.Count} times only");
    }
}
