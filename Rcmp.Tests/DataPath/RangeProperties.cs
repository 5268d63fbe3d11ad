using CsCheck;
using Rcmp.DataPath;
using Rcmp.Regions;

namespace Rcmp.Tests.DataPath;

/// <summary>Random ranges over pages of which some are here and some in another rack, against a plain array.</summary>
public sealed class RangeProperties : IDisposable
{
    private const int Pages = 12;
    private const int Bytes = Pages * 4096;

    private readonly HandDrivenRack _owner = new(rack: 2);
    private readonly HandDrivenRack _rack = new(rack: 1);
    private readonly PoolClient _pool;
    private readonly byte[] _model = new byte[Bytes];

    public RangeProperties()
    {
        var (slot, _) = _rack.LinkTo(_owner);
        for (var i = 0; i < Pages; i++)
        {
            // Every third page is served by the other rack, under the same id.
            if (i % 3 == 1)
            {
                _owner.Place(_rack.Page((ulong)i + 1), i);
                _rack.Set(_rack.Page((ulong)i + 1), Location.Remote(slot, new FrameIndex((uint)i), new Epoch(1)));
            }
            else
            {
                _rack.Place(_rack.Page((ulong)i + 1), i);
            }
        }

        _pool = _rack.Connect(new FakeControlPlane());
    }

    public void Dispose()
    {
        _pool.Dispose();
        _rack.Dispose();
        _owner.Dispose();
    }

    private static readonly Gen<(int Kind, int Offset, int Length, int Seed)> Step =
        from kind in Gen.Int[0, 5]
        from page in Gen.Int[0, Pages - 1]
        from near in Gen.Int[-40, 40]
        from anywhere in Gen.Int[0, 4095]
        from atBoundary in Gen.Bool
        from length in Gen.OneOf(Gen.Int[0, 100], Gen.Const(64), Gen.Int[0, 3 * 4096])
        from seed in Gen.Int[0, int.MaxValue]
        let offset = Math.Clamp(page * 4096 + (atBoundary ? near : anywhere), 0, Bytes - 8)
        select (kind, offset, Math.Min(length, Bytes - offset), seed);

    [Fact]
    public void RangesBehaveLikeAnArray() => Step.Array[1, 30].Sample(
        steps =>
        {
            foreach (var step in steps)
                Apply(step.Kind, step.Offset, step.Length, step.Seed);
            var all = new byte[Bytes];
            _pool.Read(_rack.Address(1), all);
            return all.AsSpan().SequenceEqual(_model);
        },
        iter: 300, threads: 1);

    private void Apply(int kind, int offset, int length, int seed)
    {
        var address = _rack.Address(1) + offset;
        var data = new byte[length];
        new Random(seed).NextBytes(data);
        switch (kind)
        {
            case 0:
                _pool.Write(address, data);
                data.CopyTo(_model, offset);
                break;
            case 1:
                _pool.WriteAsync(address, data).AsTask().GetAwaiter().GetResult();
                data.CopyTo(_model, offset);
                break;
            case 2:
                _pool.Read(address, data);
                Assert.True(data.AsSpan().SequenceEqual(_model.AsSpan(offset, length)));
                break;
            case 3:
                _pool.ReadAsync(address, data).AsTask().GetAwaiter().GetResult();
                Assert.True(data.AsSpan().SequenceEqual(_model.AsSpan(offset, length)));
                break;
            case 4:
                _pool.Write(address, (long)seed * 31);
                BitConverter.GetBytes((long)seed * 31).CopyTo(_model, offset);
                break;
            default:
                offset &= ~7;
                Assert.Equal(BitConverter.ToUInt64(_model, offset), _pool.FetchAdd(_rack.Address(1) + offset, (ulong)seed));
                BitConverter.GetBytes(BitConverter.ToUInt64(_model, offset) + (ulong)seed).CopyTo(_model, offset);
                break;
        }
    }
}
