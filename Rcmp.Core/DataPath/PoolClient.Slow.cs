using System.Runtime.CompilerServices;
using Rcmp.Fabric;

namespace Rcmp.DataPath;

/// <summary>Synchronous calls that are more than a rack hit: the caller's thread carries them out and waits between the steps.</summary>
internal sealed unsafe partial class PoolClient
{
    private const int SpinRounds = 8;
    private const int YieldRounds = 32;
    private const int PauseMillisecondsMax = 10;
    private const int OperationsKept = 16;
    /// <summary>A remote access that is all there is to do, and no larger, goes without an operation. What is larger takes so long that it does not matter.</summary>
    private const int AloneBytesMax = 16 << 10;

    private readonly PageOperation?[] _operations = new PageOperation?[OperationsKept];

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void ReadSlow(GAddr address, Span<byte> destination, ulong stackPage)
    {
        CheckRange(address, destination.Length);
        EnterSlow();
        try
        {
            LearnStack(stackPage);
            fixed (byte* buffer = destination)
                Transfer(FabricOp.Read, address, buffer, destination.Length);
        }
        finally
        {
            ExitSlow();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void WriteSlow(GAddr address, ReadOnlySpan<byte> source, ulong stackPage)
    {
        CheckRange(address, source.Length);
        EnterSlow();
        try
        {
            LearnStack(stackPage);
            fixed (byte* buffer = source)
                Transfer(FabricOp.Write, address, buffer, source.Length);
        }
        finally
        {
            ExitSlow();
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong AtomicSlow(FabricOp op, GAddr address, ulong operand, ulong comparand, ulong stackPage)
    {
        CheckWord(address);
        EnterSlow();
        try
        {
            LearnStack(stackPage);
            var access = MakeAtomic(op, address, operand, comparand);
            var found = TryAccess(ref access);
            if (found == LookupResult.Done)
                return access.Result;
            if (found == LookupResult.Remote)
                return RunAlone(ref access);
            var operation = RentOperation();
            operation.Begin(access);
            return Finish(operation);
        }
        finally
        {
            ExitSlow();
        }
    }

    private static PageAccess MakeAtomic(FabricOp op, GAddr address, ulong operand, ulong comparand) => new()
    {
        Op = op,
        Address = address.Value,
        Length = sizeof(ulong),
        Operand = operand,
        Comparand = comparand,
    };

    private void Transfer(FabricOp op, GAddr address, byte* buffer, long length)
    {
        var done = TransferHere(op, address, buffer, length, out var next, out var found);
        if (done == length)
            return;
        if (found == LookupResult.Remote && next.Length == length - done && next.Length <= AloneBytesMax)
        {
            RunAlone(ref next);
            return;
        }

        var operation = RentOperation();
        operation.Begin(op, new RangePart { Address = address.Value + (ulong)done, Buffer = buffer + done, Length = length - done });
        Finish(operation);
    }

    /// <summary>Carries out a remote access that is all there is (left) to do.</summary>
    private ulong RunAlone(ref PageAccess access)
    {
        var wasTried = _requests.RunAlone(ref access, out var obstacle, out var startedAt);
        if (access.State == AccessState.Done)
            return access.Result;
        var operation = RentOperation();
        operation.Begin(access, wasTried, obstacle, startedAt);
        return Finish(operation);
    }

    /// <summary>One that was used before, if there is any: a remote access allocates nothing then.</summary>
    private PageOperation RentOperation()
    {
        var place = Environment.CurrentManagedThreadId & (OperationsKept - 1);
        return Interlocked.Exchange(ref _operations[place], null) ?? new PageOperation(this, place);
    }

    /// <summary>To the thread that began it, which may be another one.</summary>
    private void GiveBack(PageOperation operation) => Volatile.Write(ref _operations[operation.Place], operation);

    /// <summary>Copies page by page as long as they are in the rack; allocates nothing. Returns how many bytes.</summary>
    private long TransferHere(FabricOp op, GAddr address, byte* buffer, long length) => TransferHere(op, address, buffer, length, out _, out _);

    /// <summary>The same, and what was found where it ends.</summary>
    private long TransferHere(FabricOp op, GAddr address, byte* buffer, long length, out PageAccess next, out LookupResult found)
    {
        next = default;
        found = LookupResult.Done;
        long done = 0;
        while (done < length)
        {
            var at = address.Value + (ulong)done;
            next = new PageAccess
            {
                Op = op,
                Address = at,
                Buffer = buffer + done,
                Length = (uint)Math.Min(length - done, (1L << _pageShift) - (long)(at & _pageMask)),
            };
            found = TryAccess(ref next);
            if (found != LookupResult.Done)
                break;
            done += next.Length;
        }

        return done;
    }

    private ulong Finish(PageOperation operation)
    {
        while (true)
        {
            switch (operation.Step())
            {
                case StepResult.Done:
                    // One that throws is not used again.
                    var result = operation.Result;
                    GiveBack(operation);
                    return result;
                case StepResult.Answers:
                    AwaitAnswers(operation.Answers, operation.Patience);
                    break;
                default:
                    Pause(operation.IdleRounds);
                    break;
            }
        }
    }

    private void AwaitAnswers(Task answers, TimeSpan patience)
    {
        try
        {
            answers.Wait((int)Math.Ceiling(patience.TotalMilliseconds), _closing.Token);
        }
        catch (OperationCanceledException)
        {
            throw Closed();
        }
    }

    /// <summary>A move takes less than a millisecond or two, so first without sleep; but the mover may need this very processor.</summary>
    private static void Pause(int round)
    {
        if (round < SpinRounds)
            Thread.SpinWait(64 << round);
        else if (round < YieldRounds)
            Thread.Yield();
        else
            Thread.Sleep(PauseMilliseconds(round));
    }

    private static int PauseMilliseconds(int round) => Math.Clamp((round - YieldRounds) / 8, 1, PauseMillisecondsMax);
}
