using Rcmp.Fabric;

namespace Rcmp.DataPath;

/// <summary>Asynchronous calls: synchronous as long as the pages are in the rack, else carried out on the pool's own threads.</summary>
internal sealed partial class PoolClient
{
    public ValueTask ReadAsync(GAddr address, Memory<byte> destination, CancellationToken ct = default)
    {
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled(ct);
        var done = (int)ReadHere(address, destination.Span);
        return done == destination.Length ? default : StartPart(FabricOp.Read, address + done, destination[done..], ct);
    }

    public ValueTask WriteAsync(GAddr address, ReadOnlyMemory<byte> source, CancellationToken ct = default)
    {
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled(ct);
        var done = (int)WriteHere(address, source.Span);
        return done == source.Length ? default : StartPart(FabricOp.Write, address + done, source[done..], ct);
    }

    public ValueTask ReadBatchAsync(ReadOnlyMemory<ReadRequest> requests, CancellationToken ct = default)
    {
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled(ct);
        var span = requests.Span;
        foreach (ref readonly var request in span)
            CheckRange(request.Address, request.Destination.Length);
        // None, as long as all of them are hits.
        PageOperation? rest = null;
        try
        {
            foreach (ref readonly var request in span)
            {
                // Behind one that is not here: what is a plain hit is done at once, all else is looked up together.
                var done = rest is null ? (int)ReadHere(request.Address, request.Destination.Span) : TryHitRead(request.Address, request.Destination.Span) ? request.Destination.Length : 0;
                if (done < request.Destination.Length)
                    (rest ??= BeginParts(FabricOp.Read)).Parts.Add(request.Address + done, request.Destination[done..]);
            }

            return rest is null ? default : new ValueTask(Start(rest, ct));
        }
        catch
        {
            rest?.Parts.Unpin();
            throw;
        }
    }

    public ValueTask WriteBatchAsync(ReadOnlyMemory<WriteRequest> requests, CancellationToken ct = default)
    {
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled(ct);
        var span = requests.Span;
        foreach (ref readonly var request in span)
            CheckRange(request.Address, request.Source.Length);
        // None, as long as all of them are hits.
        PageOperation? rest = null;
        try
        {
            foreach (ref readonly var request in span)
            {
                // Behind one that is not here: what is a plain hit is done at once, all else is looked up together.
                var done = rest is null ? (int)WriteHere(request.Address, request.Source.Span) : TryHitWrite(request.Address, request.Source.Span) ? request.Source.Length : 0;
                if (done < request.Source.Length)
                    (rest ??= BeginParts(FabricOp.Write)).Parts.Add(request.Address + done, request.Source[done..]);
            }

            return rest is null ? default : new ValueTask(Start(rest, ct));
        }
        catch
        {
            rest?.Parts.Unpin();
            throw;
        }
    }

    public ValueTask<ulong> ExchangeAsync(GAddr address, ulong value, CancellationToken ct = default) =>
        AtomicAsync(FabricOp.Exchange, address, value, 0, ct);

    public ValueTask<ulong> CompareExchangeAsync(GAddr address, ulong value, ulong comparand, CancellationToken ct = default) =>
        AtomicAsync(FabricOp.CompareExchange, address, value, comparand, ct);

    public ValueTask<ulong> FetchAddAsync(GAddr address, ulong delta, CancellationToken ct = default) =>
        AtomicAsync(FabricOp.FetchAdd, address, delta, 0, ct);

    private ValueTask<ulong> AtomicAsync(FabricOp op, GAddr address, ulong operand, ulong comparand, CancellationToken ct)
    {
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled<ulong>(ct);
        CheckWord(address);
        EnterSlow();
        var access = MakeAtomic(op, address, operand, comparand);
        if (TryAtomicHere(ref access))
            return ValueTask.FromResult(access.Result);
        var operation = RentOperation();
        operation.Begin(access);
        return new ValueTask<ulong>(StartHeld(operation, ct));
    }

    private ValueTask StartPart(FabricOp op, GAddr address, ReadOnlyMemory<byte> memory, CancellationToken ct)
    {
        var operation = BeginParts(op);
        try
        {
            operation.Parts.Add(address, memory);
            return new ValueTask(Start(operation, ct));
        }
        catch
        {
            operation.Parts.Unpin();
            throw;
        }
    }

    private PageOperation BeginParts(FabricOp op)
    {
        var operation = RentOperation();
        operation.Begin(op);
        return operation;
    }

    /// <summary>The operation's memory is let go when it has ended.</summary>
    private Task<ulong> Start(PageOperation operation, CancellationToken ct)
    {
        EnterSlow();
        return StartHeld(operation, ct);
    }

    /// <summary>Takes over what <see cref="EnterSlow"/> holds.</summary>
    private Task<ulong> StartHeld(PageOperation operation, CancellationToken ct) => _workers.Run(() => FinishAsync(operation, ct));

    private static async Task AnswersAsync(PageOperation operation, CancellationToken ct)
    {
        try
        {
            await operation.Answers.WaitAsync(operation.Patience, ct);
        }
        catch (TimeoutException)
        {
            // The operation says so, if it still cannot go on.
        }
    }

    private async Task<ulong> FinishAsync(PageOperation operation, CancellationToken ct)
    {
        var isDone = false;
        try
        {
            using var stopping = CancellationTokenSource.CreateLinkedTokenSource(ct, _closing.Token);
            while (true)
            {
                // Between steps nothing is in flight, so the caller may have the memory back.
                ct.ThrowIfCancellationRequested();
                switch (operation.Step())
                {
                    case StepResult.Done:
                        isDone = true;
                        return operation.Result;
                    case StepResult.Answers:
                        await AnswersAsync(operation, stopping.Token);
                        break;
                    default:
                        await _workers.Delay(TimeSpan.FromMilliseconds(operation.IdleRounds < SpinRounds ? 0 : PauseMilliseconds(operation.IdleRounds)));
                        break;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // By the caller's own token, not by that of both: callers tell by it whose cancellation it was.
            ct.ThrowIfCancellationRequested();
            throw Closed();
        }
        finally
        {
            operation.Parts.Unpin();
            // One that throws is not used again.
            if (isDone)
                GiveBack(operation);
            ExitSlow();
        }
    }
}
