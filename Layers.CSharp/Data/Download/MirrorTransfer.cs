using System.Net;
using System.Net.Http.Headers;

namespace Hybrid.Layers.Data;

/// <summary>
/// Gets one file from one mirror, in one attempt or several: a later one continues where an earlier one was cut off, if the
/// mirror can do that and its file is still the same.
/// </summary>
internal sealed class MirrorTransfer
{
    private const int BlockBytes = 1 << 16;
    private readonly HttpClient client;
    private readonly Uri mirror;
    private readonly DownloadFile file;
    private readonly PartFile part;
    private readonly DownloadOptions options;
    private EntityTagHeaderValue? tag;
    private bool mayContinue = true;

    public MirrorTransfer(HttpClient client, Uri mirror, DownloadFile file, PartFile part, DownloadOptions options)
    {
        this.client = client;
        this.mirror = mirror;
        this.file = file;
        this.part = part;
        this.options = options;
        Address = new(mirror, file.ServedName);
        part.Restart();
    }

    /// <summary>What is asked for.</summary>
    public Uri Address { get; }

    /// <summary>Makes one attempt; after it the part holds the file, checked.</summary>
    /// <exception cref="DownloadFailure">The attempt failed.</exception>
    public async Task AttemptAsync(CancellationToken cancellation)
    {
        if (!mayContinue)
            part.Restart();
        var start = part.Stream.Length;
        using var request = Request(start);
        using var response = await SendAsync(request, cancellation).ConfigureAwait(false);
        var continued = Accept(response, start);
        if (!continued)
            part.Restart();
        var total = response.Content.Headers.ContentLength is { } rest ? part.Stream.Length + rest : (long?)null;
        if (total > file.MaximumBytes)
            throw Lasting($"announced {DataPlace.Number(total.Value)} bytes where at most {DataPlace.Number(file.MaximumBytes)} can be");
        tag = response.Headers.ETag is { IsWeak: false } strong ? strong : null;
        await CopyAsync(response, total, cancellation).ConfigureAwait(false);
        if (ContentCheck.Fault(part.Stream, file) is { } fault)
        {
            // Pieces of two different files may have been put together: then the whole may still be sound.
            mayContinue = false;
            throw continued ? Passing($"{fault}, in pieces") : Lasting(fault);
        }
    }

    private static DownloadFailure Passing(string outcome, Exception? inner = null) => new(outcome, mayPass: true, inner);

    private static DownloadFailure Lasting(string outcome) => new(outcome, mayPass: false);

    private HttpRequestMessage Request(long start)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, Address);
        request.Headers.AcceptEncoding.ParseAdd("identity");
        if (start > 0)
        {
            request.Headers.Range = new(start, null);
            if (tag is not null)
                request.Headers.IfRange = new(tag);
        }
        return request;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        try
        {
            return await BeforeStall(
                    token => client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token),
                    () => $"no answer for {Seconds(options.StallTimeout)}",
                    cancellation
                )
                .ConfigureAwait(false);
        }
        catch (HttpRequestException e)
        {
            throw Passing(Words(e), e);
        }
    }

    /// <summary>Says whether the answer continues the part at the given byte; otherwise it starts anew.</summary>
    private bool Accept(HttpResponseMessage response, long start)
    {
        switch (response.StatusCode)
        {
            case HttpStatusCode.OK:
                return false;
            case HttpStatusCode.PartialContent when start > 0:
                var range = response.Content.Headers.ContentRange;
                if (range is { Unit: "bytes" } && range.From == start)
                    return true;
                mayContinue = false;
                throw Passing(
                    $"answered a request for bytes from {DataPlace.Number(start)} with {(range is null ? "an unnamed part" : $"'{range}'")}"
                );
            case HttpStatusCode.RequestedRangeNotSatisfiable when start > 0:
                mayContinue = false;
                throw Passing("cannot continue from where it was cut off");
            case >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest:
                throw Lasting($"redirected without end (status {(int)response.StatusCode})");
            case HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError:
                throw Passing($"answered with status {(int)response.StatusCode}");
            default:
                throw Lasting($"answered with status {(int)response.StatusCode}");
        }
    }

    private async Task CopyAsync(HttpResponseMessage response, long? total, CancellationToken cancellation)
    {
        var body = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            var block = new byte[BlockBytes];
            while (true)
            {
                var got = await ReadAsync(body, block, total, cancellation).ConfigureAwait(false);
                if (got == 0)
                    return;
                if (part.Stream.Length + got > file.MaximumBytes)
                {
                    mayContinue = false;
                    throw Lasting($"sent more than {DataPlace.Number(file.MaximumBytes)} bytes");
                }
                part.Append(block.AsSpan(0, got));
                options.Progress?.Report(new(file.ServedName, mirror, part.Stream.Length, total));
            }
        }
    }

    private async Task<int> ReadAsync(Stream body, Memory<byte> block, long? total, CancellationToken cancellation)
    {
        try
        {
            return await BeforeStall(
                    token => body.ReadAsync(block, token).AsTask(),
                    () => $"stalled for {Seconds(options.StallTimeout)} after {Reached(total)}",
                    cancellation
                )
                .ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw Passing($"cut off after {Reached(total)}", e);
        }
    }

    private async Task<T> BeforeStall<T>(Func<CancellationToken, Task<T>> work, Func<string> outcome, CancellationToken cancellation)
    {
        using var stall = new CancellationTokenSource(options.StallTimeout, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, stall.Token);
        try
        {
            return await work(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (stall.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            throw Passing(outcome(), e);
        }
    }

    private string Reached(long? total)
    {
        var all = total is null ? "" : $" of {DataPlace.Number(total.Value)}";
        return $"{DataPlace.Number(part.Stream.Length)}{all} bytes";
    }

    internal static string Seconds(TimeSpan time) => $"{time.TotalSeconds.ToString(System.Globalization.CultureInfo.InvariantCulture)} s";

    private static string Words(HttpRequestException e) =>
        e.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => "its name cannot be resolved",
            HttpRequestError.ConnectionError => "no connection",
            HttpRequestError.SecureConnectionError => "no secure connection",
            HttpRequestError.ResponseEnded => "cut off before it answered",
            HttpRequestError.InvalidResponse => "answered with something other than HTTP",
            var other => $"failed ({other})",
        };
}
